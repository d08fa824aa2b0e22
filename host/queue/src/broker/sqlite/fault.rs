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
        let unavailable = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::OutOfMemory
                    | ErrorCode::ReadOnly
            )
        );
        let (place, advice) = (place.to_owned(), advice(&error));
        let source = error.into();
        if unavailable {
            BrokerError::Unavailable {
                place,
                advice,
                source,
            }
        } else {
            BrokerError::Refused {
                place,
                advice,
                source,
            }
        }
    }
}

/// What helps against an error of the file.
fn advice(error: &rusqlite::Error) -> Option<&'static str> {
    Some(match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "another process has held the file's lock for too long: try again, or see who has the file open"
        }
        ErrorCode::DiskFull => "the disk is full: free space, then try again",
        ErrorCode::CannotOpen => "the file can't be opened: its folder must exist and be writable",
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
            "the file is not a Chicory queue: give another path, or restore the file"
        }
        _ => return None,
    })
}
