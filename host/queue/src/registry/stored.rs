//! What every store of the registry has in common: how values become text and back, and how long what
//! is not for ever is kept.
//!
//! Must not know any store.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::BrokerError;

/// How long a worker's word on a roll-out is kept.
pub(crate) const REPORTS_TTL: Duration = Duration::from_hours(1);

/// How long a canary's counts are kept after the last was added.
pub(crate) const COUNTS_TTL: Duration = Duration::from_hours(7 * 24);

/// The lines of the audit log that are kept at least.
pub(crate) const AUDIT_LINES: u32 = 100_000;

/// A value as it is stored.
pub(crate) fn write(what: &str, value: &impl Serialize) -> Result<String, BrokerError> {
    serde_json::to_string(value)
        .map_err(|error| BrokerError::Invalid(format!("{what} can't be stored: {error}")))
}

/// A stored value; `what` says in an error what it is.
pub(crate) fn read<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, BrokerError> {
    serde_json::from_slice(json).map_err(|error| {
        BrokerError::Invalid(format!(
            "{what} in the registry can't be read ({error}): if a newer Chicory wrote it, upgrade this one"
        ))
    })
}
