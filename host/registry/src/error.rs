//! How a registry can fail, in the few ways a caller can act on.
//!
//! Must not know one store's own errors: each store wraps its own.

use std::error::Error;

use crate::unreadable::{MAX_RECORD_BYTES, RecordFault, UnreadableRecord};

/// A store's own error.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// A registry could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The store can't be reached or can't serve now; worth trying again.
    #[error(transparent)]
    Unavailable(StoreError),
    /// The store refused; trying again does not help.
    #[error(transparent)]
    Store(StoreError),
    /// What is stored can't be understood.
    #[error(
        "{what} in the registry can't be read ({source}): if a newer Chicory wrote it, upgrade this one"
    )]
    Unreadable {
        /// What it is.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A module's record can't be read.
    #[error(transparent)]
    Record(#[from] UnreadableRecord),
    /// A module's record would be larger than records may be.
    #[error(
        "the record of module {module:?} would have {size} bytes, and up to {MAX_RECORD_BYTES} are allowed: it has the types of all tasks of all versions that are kept"
    )]
    RecordTooLarge {
        /// The module.
        module: String,
        /// The size that it would have, in bytes.
        size: usize,
    },
    /// A module's record says what no record may say.
    #[error("the record of module {module:?} can't be stored")]
    RecordInvalid {
        /// The module.
        module: String,
        /// What is wrong with it.
        source: RecordFault,
    },
    /// A value has no stored form.
    #[error("{what} can't be stored: {source}")]
    Unwritable {
        /// What it is.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl RegistryError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
