//! What can go wrong with the file, mapped onto the few errors a caller can act on.
//!
//! Must not know what was asked of the file.

use rusqlite::ErrorCode;

use crate::{BrokerError, RegistryError};

/// Why an operation on the file failed, before it is known which file it was.
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

/// What to do about an error of the file.
fn advice(error: &rusqlite::Error) -> Option<&'static str> {
    Some(match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "another process has held the file's lock for too long: try again, or find out which process has the file open"
        }
        ErrorCode::DiskFull => "the disk is full: free space, then try again",
        ErrorCode::ReadOnly => {
            "the file or its folder is read-only for this user: give write access to both, or another path"
        }
        ErrorCode::CannotOpen => "the file can't be opened: its folder must exist and be writable",
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
            "the file is not a Chicory queue: give another path, or restore the file"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case Q21: retrying does not help.
    #[test]
    fn a_read_only_file_is_refused_with_what_helps() {
        let file = rusqlite::Connection::open_in_memory().expect("a file");
        file.execute_batch("PRAGMA query_only = ON")
            .expect("a setting");
        let error = file
            .execute_batch("CREATE TABLE x (y)")
            .expect_err("it is read-only");
        let error = Fault::from(error).at("q.db");
        assert!(matches!(error, BrokerError::Refused { .. }), "{error}");
        assert!(
            error.to_string().contains("read-only for this user"),
            "{error}"
        );
    }
}
