//! The names of tenants, and of their modules.
//!
//! Must not know what a tenant has or may do.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::SharedStr;

/// The longest name of a tenant, in bytes.
pub const MAX_TENANT_NAME: usize = 63;

/// The name of the tenant that everything belongs to where none is given.
const DEFAULT: &str = "default";

/// The name of a tenant: `[a-z0-9][a-z0-9-]{0,62}`. It is part of keys, file names and log lines, so it has no character that
/// means anything in them. Its copies share its bytes.
///
/// ```
/// use chicory_signature::TenantName;
///
/// let acme: TenantName = "acme".parse()?;
/// assert_eq!(acme.as_str(), "acme");
/// assert!(TenantName::default().is_default());
/// assert_eq!(TenantName::default(), "default".parse()?);
/// assert!("Acme".parse::<TenantName>().is_err());
/// # Ok::<(), chicory_signature::InvalidTenantName>(())
/// ```
// The text of the default tenant is empty: no bytes are kept or compared for it on the path of its tasks.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantName(SharedStr);

/// A text that is not the name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not a tenant's name: it has 1 to {MAX_TENANT_NAME} characters of a to z, 0 to 9 and -, and does not begin with -"
)]
pub struct InvalidTenantName {
    name: String,
}

impl TenantName {
    /// The name, `default` for the default tenant.
    pub fn as_str(&self) -> &str {
        if self.is_default() { DEFAULT } else { &self.0 }
    }

    /// Whether it is the default tenant, which needs no set-up.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// The name, but none for the default tenant.
    pub fn given(&self) -> Option<&str> {
        (!self.is_default()).then(|| self.as_str())
    }
}

/// What stands between a tenant's name and a module's.
const SEPARATOR: char = '/';

/// The name of a tenant's module among those of all tenants.
///
/// ```
/// use chicory_signature::{TenantName, owner, qualified};
///
/// let acme: TenantName = "acme".parse()?;
/// assert_eq!(qualified(&acme, "shop"), "acme/shop");
/// assert_eq!(owner("acme/shop"), (acme, "shop"));
/// assert_eq!(owner("shop"), (TenantName::default(), "shop"));
/// # Ok::<(), chicory_signature::InvalidTenantName>(())
/// ```
pub fn qualified<'a>(tenant: &TenantName, name: &'a str) -> Cow<'a, str> {
    match tenant.given() {
        None => name.into(),
        Some(tenant) => format!("{tenant}{SEPARATOR}{name}").into(),
    }
}

/// The tenant that a module belongs to, and the module's own name, by its name among those of all tenants. A name that no tenant can have
/// had is the default tenant's.
pub fn owner(qualified: &str) -> (TenantName, &str) {
    let parts = qualified.split_once(SEPARATOR);
    let parts = parts.and_then(|(tenant, name)| Some((tenant.parse::<TenantName>().ok()?, name)));
    match parts {
        Some((tenant, name)) if !tenant.is_default() => (tenant, name),
        _ => (TenantName::default(), qualified),
    }
}

impl FromStr for TenantName {
    type Err = InvalidTenantName;

    fn from_str(name: &str) -> Result<Self, InvalidTenantName> {
        let is_allowed =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let fits = (1..=MAX_TENANT_NAME).contains(&name.len());
        if !fits || name.starts_with('-') || !name.as_bytes().iter().all(is_allowed) {
            let name = name.chars().take(MAX_TENANT_NAME + 1).collect();
            return Err(InvalidTenantName { name });
        }
        Ok(match name {
            DEFAULT => Self::default(),
            name => Self(name.into()),
        })
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for TenantName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TenantName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Option<TenantName> {
        name.parse().ok()
    }

    #[test]
    fn names_have_the_characters_of_host_names() {
        let longest = "a".repeat(MAX_TENANT_NAME);
        for name in ["a", "0", "acme", "acme-2", "a--b-", &longest] {
            assert_eq!(parse(name).as_ref().map(TenantName::as_str), Some(name));
        }
        let too_long = "a".repeat(MAX_TENANT_NAME + 1);
        for name in [
            "", "-a", "A", "a.b", "a:b", "a/b", "a b", "ä", "a\n", &too_long,
        ] {
            assert_eq!(parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn the_default_tenant_has_a_name_like_others() {
        assert_eq!(parse("default"), Some(TenantName::default()));
        assert_eq!(TenantName::default().given(), None);
        assert_eq!(
            parse("acme").as_ref().and_then(TenantName::given),
            Some("acme")
        );
    }

    #[test]
    fn a_long_name_is_quoted_in_part() {
        let error = "a"
            .repeat(5000)
            .parse::<TenantName>()
            .expect_err("too long");
        assert!(error.to_string().len() < 250, "{error}");
    }

    #[test]
    fn json_has_the_name_and_is_checked() {
        let acme = serde_json::to_string(&parse("acme")).expect("a name");
        assert_eq!(acme, r#""acme""#);
        assert!(serde_json::from_str::<TenantName>(r#""a:b""#).is_err());
    }
}
