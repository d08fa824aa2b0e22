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

/// A URL without user, password, query and fragment; none for a text that is not a URL.
pub fn mask_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // A password may hold a slash, so everything up to the last `@` is left out.
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    Some(format!("{scheme}://{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("redis://u:p@h:1/0", Some("redis://h:1/0")),
            ("redis://u:p/@x@h/0", Some("redis://h/0")),
            ("unix:///run/r.sock?pass=secret", Some("unix:///run/r.sock")),
            ("secret", None),
        ] {
            assert_eq!(mask_url(url).as_deref(), shown);
        }
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "\"***\"");
    }
}
