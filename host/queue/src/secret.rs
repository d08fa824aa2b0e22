//! What logs and errors must not show: passwords, and URLs that hold one.
//!
//! Must not know what a secret is for.

use std::fmt;

/// A text that logs and `Debug` must not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// A URL without user, password, query and fragment; `None` for a text that is not a URL. If it is unclear where the
/// password ends, only the scheme is shown.
pub fn mask_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    if !is_scheme(scheme) {
        return None;
    }
    let before_query = rest.split(['?', '#']).next().unwrap_or_default();
    // Without a host there are no credentials before the path.
    if rest.starts_with('/') && !before_query.contains('@') {
        return Some(format!("{scheme}://{before_query}"));
    }
    // A password may contain a slash, so everything up to the last `@` is left out.
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split(['?', '#']).next().unwrap_or_default();
    if unencoded(url).is_some_and(|found| found != '/') || !names_hosts(place) {
        return Some(format!("{scheme}://***"));
    }
    Some(format!("{scheme}://{place}"))
}

/// The first character of a URL's user or password that must be percent-encoded there, because it would end them: for
/// example, `#` is written `%23`.
pub fn unencoded(url: &str) -> Option<char> {
    let (_, rest) = url.split_once("://")?;
    let before_query = rest.split(['?', '#']).next().unwrap_or_default();
    if rest.starts_with('/') && !before_query.contains('@') {
        return None;
    }
    let (credentials, _) = rest.rsplit_once('@')?;
    credentials
        .chars()
        .find(|c| matches!(c, '/' | '?' | '#') || c.is_control())
}

fn is_scheme(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(allowed)
}

/// Whether a text is `host:port,host:port/path`. Otherwise it may be a password that lacks its `@`.
fn names_hosts(place: &str) -> bool {
    let hosts = place.split('/').next().unwrap_or_default();
    hosts.split(',').all(|host| {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port),
            _ => (host, "0"),
        };
        let address = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let named = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.chars().all(allowed),
        };
        named && port.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("redis://u:p@h:1/0", Some("redis://h:1/0")),
            ("redis://u:p/@x@h/0", Some("redis://h/0")),
            ("redis://u:p@[::1]:6379", Some("redis://[::1]:6379")),
            ("unix:///run/r.sock?pass=secret", Some("unix:///run/r.sock")),
            (
                "unix:///run/r.sock?pass=se@cret",
                Some("unix:///run/r.sock"),
            ),
            (
                "redis-sentinel://:p@a:1,b:2/m/3",
                Some("redis-sentinel://a:1,b:2/m/3"),
            ),
            // Case Q4.
            ("redis://:secret#x@h/0", Some("redis://***")),
            ("redis://:secret?x@h/0", Some("redis://***")),
            (
                "redis-sentinel://:secret#x@a:1,b:2/m/3",
                Some("redis-sentinel://***"),
            ),
            (
                "redis-cluster://u:secret?x@a:1,b:2",
                Some("redis-cluster://***"),
            ),
            ("redis://:secret", Some("redis://***")),
            ("redis://u:secret/0", Some("redis://***")),
            ("sec ret://x", None),
            ("secret", None),
        ] {
            assert_eq!(mask_url(url).as_deref(), shown, "{url}");
        }
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "\"***\"");
    }

    #[test]
    fn what_would_end_a_password_is_found() {
        for (url, found) in [
            ("redis://:a#b@h", Some('#')),
            ("redis://u?:ab@h", Some('?')),
            ("redis-sentinel://:a/b@h:1,i:2/m", Some('/')),
            ("redis://:a\tb@h", Some('\t')),
            ("redis://:a%23@b:c d@h/0?protocol=resp3#x", None),
            ("redis://h/0", None),
            ("unix:///run/r.sock?pass=a@b", None),
        ] {
            assert_eq!(unencoded(url), found, "{url}");
        }
    }
}
