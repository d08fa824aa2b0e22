//! Opens the file: sets up the connection, and creates or checks the schema.
//!
//! Must not know messages.
//!
//! Durability: write-ahead log with `synchronous = NORMAL`. What was committed survives the crash of any process. A
//! power cut can undo the last moments, but never damages the file.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault::Fault;
use super::lease_clock;
use crate::BrokerError;

/// Each version of the schema, with the script that upgrades to it. A new file goes through all of them.
const STEPS: [(i64, &str); 6] = [
    (1, include_str!("schema.sql")),
    (2, include_str!("schema_registry.sql")),
    (3, include_str!("schema_ages.sql")),
    (4, include_str!("schema_ids.sql")),
    (5, include_str!("schema_lease_clock.sql")),
    (6, include_str!("schema_tenants.sql")),
];

/// The newest schema that this build reads.
const VERSION: i64 = STEPS[STEPS.len() - 1].0;

/// Marks the file as a Chicory queue ("Chic").
const APPLICATION: i64 = 0x4368_6963;

/// How long to wait for another process's lock. A lock is held for milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait between two attempts to get the lock. Short, since locks are held briefly and don't queue up.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// Opens the file for reading and writing, and creates it and its schema if they are missing.
pub(super) fn open_writer(path: &Path, patience: Duration) -> Result<Connection, Fault> {
    let mut connection = open(path, patience)?;
    use_write_ahead_log(&connection, patience)?;
    prepare_schema(&mut connection, path)?;
    lease_clock::adopt(&connection)?;
    Ok(connection)
}

/// Opens the file for reading. The schema exists: a writer was opened before.
pub(super) fn open_reader(path: &Path, patience: Duration) -> Result<Connection, Fault> {
    let connection = open(path, patience)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, patience: Duration) -> Result<Connection, Fault> {
    // Without SQLITE_OPEN_URI, so a path is a path, whatever characters it has.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    create_private(path);
    let mut connection = Connection::open_with_flags(path, flags)?;
    let mut since = Instant::now();
    connection.busy_handler(Some(move |tries: i32| {
        if tries == 0 {
            since = Instant::now();
        }
        std::thread::sleep(LOCK_POLL.min(Duration::from_micros(50) * (1 + tries.unsigned_abs())));
        since.elapsed() < patience
    }))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Creates the file for its user alone if it is missing: nobody else may read messages and results. `SQLite` gives the
/// files beside it the same mode. An existing file keeps the mode that someone has given it. If this fails, so does
/// opening, which says why.
fn create_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let _ = options.write(true).create_new(true).mode(0o600).open(path);
}

/// `SQLite` does not wait for the lock that this change takes, so processes that start together would make each other
/// fail.
fn use_write_ahead_log(connection: &Connection, patience: Duration) -> Result<(), Fault> {
    let started = Instant::now();
    loop {
        let outcome = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match outcome {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                return Err(BrokerError::Invalid(format!(
                    "the broker's file needs a write-ahead log, and its file system gave {mode:?}; put it on a local disk"
                ))
                .into());
            }
            Err(error) if is_busy(&error) && started.elapsed() < patience => {
                std::thread::sleep(LOCK_POLL);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn prepare_schema(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(connection, path)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let done = version(&transaction, path)?;
    for (_, step) in STEPS.iter().filter(|(version, _)| *version > done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// The file's schema version; zero for a new file. Fails for a file that isn't ours to touch.
fn version(connection: &Connection, path: &Path) -> Result<i64, Fault> {
    let (application, version, tables) = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
    )?;
    let path = path.display();
    if tables > 0 && application != APPLICATION {
        return Err(BrokerError::Invalid(format!(
            "{path} is another program's database, not a Chicory queue; give another path"
        ))
        .into());
    }
    if version > VERSION {
        return Err(BrokerError::Invalid(format!(
            "{path} has schema version {version}, but this build reads only up to {VERSION}; upgrade Chicory, or give another path"
        ))
        .into());
    }
    Ok(version)
}
