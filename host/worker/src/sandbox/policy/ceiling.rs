//! One ceiling: its keys, how their values are read, and where each was set.
//!
//! Must not know modules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use chicory_runtime::{Bytes, HostGrant, LIMIT_NAMES, Limit};
use chicory_signature::{Range, Unit};

const GRANTS: [&str; 8] = [
    "env",
    "clocks",
    "random",
    "stdio",
    "http",
    "dirs",
    "writable_dirs",
    "interfaces",
];

/// All keys: the grants, then the limits of a manifest.
pub const POLICY_KEYS: [&str; 19] = {
    let mut keys = [""; GRANTS.len() + LIMIT_NAMES.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index] = if index < GRANTS.len() {
            GRANTS[index]
        } else {
            LIMIT_NAMES[index - GRANTS.len()]
        };
        index += 1;
    }
    keys
};

/// What suits strangers' code. A key that is missing here has no ceiling of its own: memory has the worker's
/// `max_memory`, and CPU time can't exceed the timeout.
pub(super) const DEFAULTS: [(&str, &str); 16] = [
    ("env", "true"),
    ("clocks", "true"),
    ("random", "true"),
    ("stdio", "true"),
    ("http", "*"),
    ("dirs", ""),
    ("writable_dirs", ""),
    ("interfaces", "*"),
    ("timeout", "3600"),
    ("table_elements", "1000000"),
    ("output_bytes", "16MiB"),
    ("log_bytes", "16MiB"),
    ("args_bytes", "64MiB"),
    ("result_bytes", "64MiB"),
    ("host_call_bytes", "256MiB"),
    ("write_bytes", "1GiB"),
];

/// A value that is not a ceiling.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{key} = {value:?} is not allowed; give {allowed}")]
pub struct BadCeiling {
    /// The key.
    pub key: String,
    /// What was given.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

/// The ceilings by key; what has no key is not limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ceiling(BTreeMap<&'static str, Set>);

/// A key's value, and where it was set.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) most: Most,
    pub(super) place: String,
    text: String,
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.most == other.most
    }
}

/// The most of something that is allowed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Most {
    /// Whether it may be granted at all.
    Switch(bool),
    Hosts(Vec<Hosts>),
    /// Folders, and everything below them.
    Folders(Vec<PathBuf>),
    /// Names, or `*`.
    Names(Vec<String>),
    /// A limit's highest value; `None` means no ceiling.
    Limit(Option<f64>),
}

/// Hosts that may be granted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hosts {
    /// `*`: every host, but no address of the host's own network.
    Public,
    /// `private`: addresses of the host's own network.
    Private,
    These(HostGrant),
}

impl Hosts {
    pub(super) fn allow(&self, asked: &HostGrant) -> bool {
        match self {
            Self::Public => !asked.is_private(),
            Self::Private => asked.is_private(),
            Self::These(hosts) => hosts.covers(asked),
        }
    }
}

impl Ceiling {
    pub(super) fn get(&self, key: &str) -> Option<&Set> {
        self.0.get(key)
    }

    /// Replaces these values with those of another ceiling, where it has any.
    pub(super) fn lay_over(&mut self, other: &Ceiling, place: &str) {
        for (key, set) in &other.0 {
            let place = place.to_owned();
            self.0.insert(
                key,
                Set {
                    place,
                    ..set.clone()
                },
            );
        }
    }

    pub(super) fn set(&mut self, key: &str, text: &str, place: &str) -> Result<(), BadCeiling> {
        let bad = |allowed: String| BadCeiling {
            key: key.to_owned(),
            value: text.to_owned(),
            allowed,
        };
        let Some(key) = POLICY_KEYS.iter().find(|known| **known == key) else {
            return Err(BadCeiling {
                key: key.to_owned(),
                value: text.to_owned(),
                allowed: format!("one of the keys {}", POLICY_KEYS.join(", ")),
            });
        };
        let most = read(key, text).map_err(bad)?;
        let set = Set {
            most,
            place: place.to_owned(),
            text: text.to_owned(),
        };
        self.0.insert(key, set);
        Ok(())
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, set)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{key}={}", set.text)?;
        }
        Ok(())
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.most {
            Most::Switch(false) => f.write_str("nothing"),
            _ if self.text.is_empty() => f.write_str("none"),
            _ => f.write_str(&self.text),
        }
    }
}

/// Reads a key's value. The error says what is allowed.
fn read(key: &str, text: &str) -> Result<Most, String> {
    if let Some(limit) = Limit::named(key) {
        return read_limit(limit.bounded.range, text).map(Most::Limit);
    }
    let items = || {
        let items = text.split(',').map(str::trim);
        items.filter(|item| !item.is_empty())
    };
    match key {
        "http" => {
            let hosts: Option<_> = items().map(hosts).collect();
            let allowed = "hosts as in a manifest, * for all public ones, private for addresses of this machine's network";
            hosts.map(Most::Hosts).ok_or_else(|| allowed.to_owned())
        }
        "dirs" | "writable_dirs" => {
            let absolute = |text| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
            let folders: Option<_> = items().map(absolute).collect();
            let allowed = || "absolute paths of folders, separated by commas".to_owned();
            folders.map(Most::Folders).ok_or_else(allowed)
        }
        "interfaces" => Ok(Most::Names(items().map(str::to_owned).collect())),
        _ => match text {
            "true" => Ok(Most::Switch(true)),
            "false" => Ok(Most::Switch(false)),
            _ => Err("true or false".to_owned()),
        },
    }
}

fn hosts(text: &str) -> Option<Hosts> {
    match text {
        "*" => Some(Hosts::Public),
        "private" => Some(Hosts::Private),
        text => HostGrant::parse(text).ok().map(Hosts::These),
    }
}

fn read_limit(range: Range, text: &str) -> Result<Option<f64>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let number = match range.unit {
        Unit::Bytes => text
            .parse::<Bytes>()
            .ok()
            .map(|size| u64::from(size) as f64),
        _ => text.parse().ok(),
    };
    let number = number.filter(|number| range.contains(*number));
    number.map(Some).ok_or_else(|| format!("{range}, or none"))
}
