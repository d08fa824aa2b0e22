//! What every store of the registry needs: how values become text and back, and how long temporary values are
//! kept.
//!
//! Must not know any store.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{AuditEntry, ModuleRecord, RegistryError};
use chicory_clock::Timestamp;

pub use crate::unreadable::{FORMAT, MAX_RECORD_BYTES, StoredRecord, StoredRow};

/// How long a worker's report on a rollout is kept.
pub const REPORTS_TTL: Duration = Duration::from_hours(1);

/// How long a canary's counts are kept after the last was added.
pub const COUNTS_TTL: Duration = Duration::from_hours(7 * 24);

/// Minimum number of lines that the audit log keeps.
pub const AUDIT_LINES: u32 = 100_000;

/// A value as it is stored.
///
/// # Errors
/// [`RegistryError::Unwritable`] if the value has no form in JSON.
pub fn write(what: &str, value: &impl Serialize) -> Result<String, RegistryError> {
    serde_json::to_string(value).map_err(|source| RegistryError::Unwritable {
        what: what.to_owned(),
        source,
    })
}

/// A stored value; `what` says in an error what it is.
///
/// # Errors
/// [`RegistryError::Unreadable`] if the JSON is no such value.
pub fn read<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(json).map_err(|source| RegistryError::Unreadable {
        what: what.to_owned(),
        source,
    })
}

/// A record as it is stored: with its format's number and the version of the program, and without its revision, which the store keeps beside it.
///
/// # Errors
/// [`RegistryError::RecordInvalid`] or [`RegistryError::RecordTooLarge`] for a record that readers would refuse.
pub fn write_record(record: &ModuleRecord) -> Result<String, RegistryError> {
    let module = record.name.clone();
    if let Err(source) = record.check() {
        return Err(RegistryError::RecordInvalid { module, source });
    }
    let what = format!("the record of module {module:?}");
    let mut members: Map<String, Value> = read(&what, write(&what, record)?.as_bytes())?;
    members.remove("revision");
    members.insert("format".into(), FORMAT.into());
    members.insert("program".into(), env!("CARGO_PKG_VERSION").into());
    let text = write(&what, &members)?;
    let size = text.len();
    if size > MAX_RECORD_BYTES {
        return Err(RegistryError::RecordTooLarge { module, size });
    }
    Ok(text)
}

/// A line of the audit log. One that can't be read becomes one that says so.
pub fn read_entry(json: &[u8]) -> AuditEntry {
    read("a line of the audit log", json).unwrap_or_else(|error| AuditEntry {
        at: Timestamp::from_micros(0),
        by: String::new(),
        action: "unreadable".into(),
        module: String::new(),
        digest: String::new(),
        detail: error.to_string(),
    })
}
