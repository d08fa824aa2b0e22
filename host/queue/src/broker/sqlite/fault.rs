//! What can go wrong with the file, mapped onto the few errors a caller can act on.
//!
//! Must not know what was asked of the file.

use rusqlite::ErrorCode;

use crate::{BrokerError, RegistryError};

/// Why work on the file failed, before it is known which file it was.
#[derive(Debug)]
pub(super) enum Fault {
    /// `SQLite` refused.
    File(rusqlite::Error),
    /// The broker itself refused.
    Broker(BrokerError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error)
    }
}

impl From<BrokerError> for Fault {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Self {
        Self::Broker(error.into())
    }
}

impl Fault {
    /// The error for callers; `place` is the file.
    pub(super) fn at(self, place: &str) -> BrokerError {
        let error = match self {
            Self::Broker(error) => return error,
            Self::File(error) => error,
        };
        let unavailable = |reason: String| BrokerError::Unavailable {
            place: place.to_owned(),
            reason,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => unavailable(
                "another process holds the file's lock for too long; try again, or see who has the file open".into(),
            ),
            Some(ErrorCode::DiskFull) => unavailable("the disk is full; free space, then try again".into()),
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory | ErrorCode::ReadOnly) => {
                unavailable(error.to_string())
            }
            Some(ErrorCode::CannotOpen) => BrokerError::Invalid(format!(
                "the broker's file {place} can't be opened ({error}); its folder must exist and be writable"
            )),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => BrokerError::Invalid(format!(
                "{place} is no Chicory queue ({error}); give another path, or restore the file"
            )),
            _ => BrokerError::Invalid(format!("the broker's file {place}: {error}")),
        }
    }
}
