//! What every store of the registry needs: how values become text and back, and how long temporary values are
//! kept.
//!
//! Must not know any store.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::RegistryError;

/// How long a worker's report on a roll-out is kept.
pub const REPORTS_TTL: Duration = Duration::from_hours(1);

/// How long a canary's counts are kept after the last was added.
pub const COUNTS_TTL: Duration = Duration::from_hours(7 * 24);

/// Minimum number of lines that the audit log keeps.
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
