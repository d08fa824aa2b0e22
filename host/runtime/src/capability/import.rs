//! The name of an imported interface and its version.
//!
//! Must not know who has the interface.

/// What a component imports, such as `wasi:cli/stdout@0.2.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Import<'a> {
    /// The name without the version.
    pub(super) interface: &'a str,
    version: Option<&'a str>,
}

impl<'a> Import<'a> {
    pub(super) fn parse(name: &'a str) -> Import<'a> {
        let (interface, version) = match name.split_once('@') {
            Some((interface, version)) => (interface, Some(version)),
            None => (name, None),
        };
        Import { interface, version }
    }

    /// Whether it is written `namespace:package/interface`.
    pub(super) fn is_interface(self) -> bool {
        let parts = self.interface.split_once(':');
        let parts = parts.and_then(|(space, rest)| Some((space, rest.split_once('/')?)));
        parts.is_some_and(|(space, (package, interface))| {
            [space, package, interface]
                .iter()
                .all(|part| !part.is_empty())
        })
    }

    /// Whether it is one of these interfaces, in a version that is compatible with `track`.
    pub(super) fn is_of(self, interfaces: &[&str], track: &str) -> bool {
        self.version.map(compatible) == Some(track) && interfaces.contains(&self.interface)
    }

    /// Whether what is written for `other` can be linked for this: wasmtime's rule.
    pub(super) fn fits(self, other: Import<'_>) -> bool {
        self.interface == other.interface
            && self.version.map(compatible) == other.version.map(compatible)
    }

    /// Whether a grant of this name is one of `other`. Without a version, it is one of all versions.
    pub(super) fn covers(self, other: Import<'_>) -> bool {
        self.fits(other) || (self.version.is_none() && self.interface == other.interface)
    }
}

/// The part of a version that compatible ones share: `1` of `1.2.3`, `0.2` of `0.2.3`; all of it where
/// nothing else is compatible.
fn compatible(version: &str) -> &str {
    let release = version.split('+').next().unwrap_or(version);
    if release.contains('-') {
        return version;
    }
    let mut end = 0;
    for part in release.split('.') {
        end += part.len();
        if part != "0" {
            return &version[..end];
        }
        end += 1;
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compatible_as_cargo_and_wasmtime_have_it() {
        for (version, track) in [
            ("1.2.3", "1"),
            ("0.2.3", "0.2"),
            ("0.2.3+build", "0.2"),
            ("0.0.3", "0.0.3"),
            ("0.2.0-rc-2023-12-05", "0.2.0-rc-2023-12-05"),
            ("0.0.0", "0.0.0"),
        ] {
            assert_eq!(compatible(version), track);
        }
        let fits = |one, other| Import::parse(one).fits(Import::parse(other));
        assert!(fits("a:b/c@1.0.0", "a:b/c@1.4.0") && fits("a:b/c", "a:b/c"));
        assert!(!fits("a:b/c@1.0.0", "a:b/c@2.0.0") && !fits("a:b/c", "a:b/c@1.0.0"));
    }
}
