//! Which hosts a guest may call: the entries of the manifest's list, and which addresses are public.
//!
//! Must not know how a connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::settings::GrantError;

/// One entry of `[grants] http`: a host, or the names below one, and a port or the ports 80 and 443.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostGrant {
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(String),
    /// `*.example.com`: any name below `example.com`, but not `example.com` itself.
    Below(String),
    Address(IpAddr),
}

impl HostGrant {
    /// Reads `example.com`, `*.example.com`, `127.0.0.1:8080` or `[::1]:8080`.
    ///
    /// # Errors
    /// When the text is no host.
    pub fn parse(text: &str) -> Result<HostGrant, GrantError> {
        let wrong = || GrantError::Host(text.to_owned());
        let (host, port) = split_port(text);
        let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let below = name.strip_prefix("*.");
        let plain = below.unwrap_or(&name);
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let host = match address(host) {
            Some(address) => HostPattern::Address(address),
            None if plain.is_empty() || !plain.chars().all(letters) => return Err(wrong()),
            None if below.is_some() => HostPattern::Below(format!(".{plain}")),
            None => HostPattern::Exact(name),
        };
        Ok(HostGrant { host, port })
    }

    /// Whether this entry grants calls to `host` on `port`. Without a port, it grants ports 80 and 443.
    pub(super) fn allows(&self, host: &str, port: u16) -> bool {
        let named = match &self.host {
            HostPattern::Exact(name) => host.eq_ignore_ascii_case(name),
            HostPattern::Below(suffix) => {
                host.len() > suffix.len() && host.to_ascii_lowercase().ends_with(suffix.as_str())
            }
            HostPattern::Address(granted) => address(host) == Some(*granted),
        };
        named
            && self
                .port
                .map_or(port == 80 || port == 443, |granted| granted == port)
    }

    /// Whether it names something in the host's own network: a private, loopback or link-local address, or
    /// `localhost`.
    pub fn is_private(&self) -> bool {
        match &self.host {
            HostPattern::Address(address) => !is_public(*address),
            HostPattern::Exact(name) => name == "localhost" || name.ends_with(".localhost"),
            HostPattern::Below(suffix) => suffix.ends_with(".localhost"),
        }
    }

    /// Whether it grants everything that `other` grants.
    pub fn covers(&self, other: &HostGrant) -> bool {
        let port = match (self.port, other.port) {
            (None, port) => matches!(port, None | Some(80 | 443)),
            (own, port) => own == port,
        };
        let host = match (&self.host, &other.host) {
            (HostPattern::Below(own), HostPattern::Exact(name)) => {
                name.len() > own.len() && name.ends_with(own.as_str())
            }
            (HostPattern::Below(own), HostPattern::Below(other)) => other.ends_with(own.as_str()),
            (own, other) => own == other,
        };
        port && host
    }

    /// Whether this entry allows a private address, because it names that address or `localhost`.
    pub(super) fn names_private(&self, found: IpAddr) -> bool {
        match &self.host {
            HostPattern::Address(granted) => *granted == found,
            HostPattern::Exact(name) => name == "localhost" && found.is_loopback(),
            HostPattern::Below(_) => false,
        }
    }
}

/// Splits `host:port`; a bare IPv6 address has no port.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if text.parse::<Ipv6Addr>().is_ok() {
        return (text, None);
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

/// The address, if `host` is one. An IPv6 address may be in brackets.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
        .map(unmapped)
}

/// An IPv4-mapped IPv6 address as IPv4, whose rules apply to it.
pub(super) fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether an address is on the public internet, so that it reaches nothing in the host's network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    // Only global unicast, without the ranges that carry an IPv4 address or are for documentation.
    (a & 0xe000) == 0x2000
        && a != 0x2002
        && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8))
        && a != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(grant: &str, host: &str, port: u16) -> bool {
        HostGrant::parse(grant).unwrap().allows(host, port)
    }

    #[test]
    fn grants_match_hosts_and_ports() {
        assert!(
            allows("example.com", "Example.COM", 443) && allows("example.com", "example.com", 80)
        );
        assert!(
            !allows("example.com", "example.com", 8080)
                && !allows("example.com", "a.example.com", 80)
        );
        assert!(allows("*.example.com", "a.b.example.com", 443));
        assert!(
            !allows("*.example.com", "example.com", 443)
                && !allows("*.example.com", "badexample.com", 80)
        );
        assert!(
            allows("example.com:8080", "example.com", 8080)
                && !allows("example.com:8080", "example.com", 80)
        );
        assert!(
            allows("127.0.0.1:9000", "127.0.0.1", 9000)
                && !allows("127.0.0.1:9000", "127.0.0.2", 9000)
        );
        assert!(allows("[::1]:9000", "[::1]", 9000) && allows("::1", "[::1]", 80));
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "http://example.com",
            "example.com/path",
            "example.com:port",
            "a b",
        ] {
            let error = HostGrant::parse(text).unwrap_err();
            assert_eq!(error, GrantError::Host(text.to_owned()));
            let error = error.to_string();
            assert!(
                error.starts_with(&format!("`{text}` in [grants] http is not a host")),
                "{error}"
            );
        }
    }

    #[test]
    fn private_ranges_are_not_public() {
        for text in [
            "10.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "93.184.216.34",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_entry_covers_what_grants_no_more() {
        for (own, other, covered) in [
            ("example.com", "Example.com", true),
            ("example.com", "example.com:443", true),
            ("example.com", "example.com:8080", false),
            ("example.com:8080", "example.com:8080", true),
            ("example.com:443", "example.com", false),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "*.a.example.com", true),
            ("*.example.com", "*.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "badexample.com", false),
            ("a.example.com", "*.example.com", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
        ] {
            let parsed = |text| HostGrant::parse(text).unwrap();
            assert_eq!(parsed(own).covers(&parsed(other)), covered, "{own} {other}");
        }
    }

    #[test]
    fn what_is_in_the_hosts_own_network_is_private() {
        for (text, private) in [
            ("169.254.169.254", true),
            ("127.0.0.1:6379", true),
            ("[::1]:80", true),
            ("::ffff:10.0.0.1", true),
            ("localhost:8080", true),
            ("a.localhost", true),
            ("1.1.1.1", false),
            ("*.example.com", false),
        ] {
            assert_eq!(
                HostGrant::parse(text).unwrap().is_private(),
                private,
                "{text}"
            );
        }
    }

    #[test]
    fn only_a_grant_that_names_the_address_opens_a_private_one() {
        let private = |grant: &str, found: &str| {
            HostGrant::parse(grant)
                .unwrap()
                .names_private(found.parse().unwrap())
        };
        assert!(
            private("127.0.0.1:80", "127.0.0.1")
                && private("localhost", "127.0.0.1")
                && private("localhost", "::1")
        );
        assert!(!private("internal.example", "10.0.0.1") && !private("localhost", "10.0.0.1"));
    }
}
