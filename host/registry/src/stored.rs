//! What every store of the registry has in common: how values become text and back, and how long what
//! is not for ever is kept.
//!
//! Must not know any store.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::RegistryError;

/// How long a worker's word on a roll-out is kept.
pub const REPORTS_TTL: Duration = Duration::from_hours(1);

/// How long a canary's counts are kept after the last was added.
pub const COUNTS_TTL: Duration = Duration::from_hours(7 * 24);

/// The lines of the audit log that are kept at least.
pub const AUDIT_LINES: u32 = 100_000;

/// A value as it is stored.
pub fn write(what: &str, value: &impl Serialize) -> Result<String, RegistryError> {
    serde_json::to_string(value).map_err(|source| RegistryError::Unwritable {
        what: what.to_owned(),
        source,
    })
}

/// A stored value; `what` says in an error what it is.
pub fn read<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(json).map_err(|source| RegistryError::Unreadable {
        what: what.to_owned(),
        source,
    })
}
