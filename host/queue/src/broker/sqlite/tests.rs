//! What can only happen to a file: another program's format, locks, copies made while it is written.

use chicory_signature::with_causes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Sqlite, connect, file};
use crate::{Broker, BrokerError, Inspect, Registry, SqliteConfig, SystemClock, TaskMessage};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

async fn open(path: &Path) -> Result<Sqlite, BrokerError> {
    let config = SqliteConfig::new(path);
    Sqlite::open(&config, Arc::new(SystemClock), file::PATIENCE).await
}

async fn refusal(path: &Path) -> String {
    match open(path).await {
        Err(error @ (BrokerError::Refused { .. } | BrokerError::Invalid(_))) => {
            let text = with_causes(&error);
            let name = path.display().to_string();
            assert!(text.contains(&name), "the file is not named: {text}");
            text
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("notes.txt");
    let text = "These are my notes.\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    assert!(refusal(&path).await.contains("not a Chicory queue"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let folder = folder();
    let path = folder.path().join("other.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE messages (text)")
        .unwrap();
    assert!(refusal(&path).await.contains("another program"));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    drop(open(&path).await.unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 9).unwrap();
    assert!(refusal(&path).await.contains("schema version 9"));
}

/// What an earlier build left is still there afterwards, and the file has room for modules.
#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("schema.sql")).unwrap();
    old.pragma_update(None, "application_id", 0x4368_6963)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let message = TaskMessage::new("m.f");
    old.execute(
        "INSERT INTO messages (queue, data, task_id) VALUES ('default', ?1, ?2)",
        [message.encode().as_bytes(), message.id.as_bytes()],
    )
    .unwrap();
    let (one, two) = (open(&path).await.unwrap(), open(&path).await.unwrap());
    assert_eq!(two.stats("default").await.unwrap().size, 1);
    let changes = one.changed(0).await.unwrap();
    assert_eq!((changes.revision, changes.records), (0, Vec::new()));
    let version = old.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 6);
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = folder();
    let text = refusal(&folder.path().join("nowhere/queue.db")).await;
    assert!(text.contains("folder must exist"), "{text}");
}

#[tokio::test]
async fn a_lock_held_for_too_long_is_unavailable() {
    let folder = folder();
    let path = folder.path().join("queue.db");
    let config = SqliteConfig::new(&path);
    let patience = Duration::from_millis(20);
    let broker = Sqlite::open(&config, Arc::new(SystemClock), patience)
        .await
        .unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let message = [TaskMessage::new("m.f")];
    let error = broker.enqueue("default", &message).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("queue.db"), "{error}");

    other.execute_batch("ROLLBACK").unwrap();
    broker.enqueue("default", &message).await.unwrap();
    assert_eq!(broker.stats("default").await.unwrap().size, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_share_a_new_file() {
    let folder = folder();
    let config = SqliteConfig::new(folder.path().join("queue.db"));
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let config = config.clone();
        starting.spawn(async move {
            let connected = connect(&config, Arc::new(SystemClock)).await?;
            let message = [TaskMessage::new("m.f")];
            connected.broker.enqueue("default", &message).await
        });
    }
    for started in starting.join_all().await {
        started.unwrap();
    }
    let one = connect(&config, Arc::new(SystemClock)).await.unwrap();
    assert_eq!(one.inspect.stats("default").await.unwrap().size, 8);
}

/// A killed process leaves the file and its log as they are at that moment, as in a copy.
#[tokio::test]
async fn what_was_enqueued_survives_a_kill() {
    let (folder, after) = (folder(), folder());
    let broker = open(&folder.path().join("queue.db")).await.unwrap();
    for _ in 0..50 {
        let message = [TaskMessage::new("m.f")];
        broker.enqueue("default", &message).await.unwrap();
    }
    for name in ["queue.db", "queue.db-wal"] {
        std::fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
    }
    let copy = open(&after.path().join("queue.db")).await.unwrap();
    assert_eq!(copy.stats("default").await.unwrap().size, 50);
}

/// A path is neither a URI nor a pattern.
#[tokio::test]
async fn a_path_may_have_any_characters() {
    let folder = folder();
    let path = folder.path().join("file: a?b#c%20é.db");
    drop(open(&path).await.unwrap());
    assert!(path.exists());
}

/// Case M14: nobody else may read messages and results, whatever the umask is.
#[tokio::test]
async fn a_new_file_is_its_owners_and_an_older_one_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = folder.path().join("queue.db");
    let sqlite = open(&path).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = folder.path().join(format!("queue.db{suffix}"));
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(sqlite);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).unwrap();
    let _sqlite = open(&path).await.unwrap();
    assert_eq!(mode(&path), 0o660, "an operator's decision");
}
