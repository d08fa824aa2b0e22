//! How a registry can fail, in the few ways a caller can act on.
//!
//! Must not know one store's own errors: each store wraps its own.

use std::error::Error;

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
