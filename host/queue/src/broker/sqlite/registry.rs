//! The registry in the same file: a table of records, one of blobs, one for the audit log.
//!
//! Must not know what a record says, nor check a blob.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::mpsc;

use super::Sqlite;
use super::enqueue::count;
use super::fault::Fault;
use super::fetch::limit;
use crate::{
    AuditEntry, CanaryCounts, ModuleRecord, Registry, RegistryError, Timestamp, WorkerReport,
};
use chicory_registry::Changes;
use chicory_registry::stored::{
    AUDIT_LINES, COUNTS_TTL, MAX_RECORD_BYTES, REPORTS_TTL, StoredRecord, StoredRow, read,
    read_entry, write, write_record,
};
use chicory_signature::canonical;

#[async_trait]
impl Registry for Sqlite {
    async fn put_blob(&self, digest: &str, bytes: Bytes) -> Result<(), RegistryError> {
        let digest = digest.to_owned();
        self.writer
            .write(&self.wakes, move |connection, _| {
                connection.execute(
                    "INSERT INTO blobs (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![digest, &bytes[..]],
                )?;
                Ok(())
            })
            .await
            .map_err(Into::into)
    }

    async fn blob(&self, digest: &str) -> Result<Option<Bytes>, RegistryError> {
        let digest = digest.to_owned();
        self.reader
            .run(move |connection| {
                let bytes: Option<Vec<u8>> = connection
                    .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")?
                    .query_row([digest], |row| row.get(0))
                    .optional()?;
                Ok(bytes.map(Bytes::from))
            })
            .await
            .map_err(Into::into)
    }

    async fn delete_blob(&self, digest: &str) -> Result<(), RegistryError> {
        let digest = digest.to_owned();
        self.writer
            .write(&self.wakes, move |connection, _| {
                connection.execute("DELETE FROM blobs WHERE digest = ?1", [digest])?;
                Ok(())
            })
            .await
            .map_err(Into::into)
    }

    async fn names(&self) -> Result<Vec<String>, RegistryError> {
        self.reader
            .run(|connection| {
                let mut statement = connection.prepare_cached("SELECT name FROM modules")?;
                let names = statement.query_map([], text)?;
                // No module has a name that is not text; its record is among those that can't be read.
                Ok(names.filter_map(Result::ok).collect())
            })
            .await
            .map_err(Into::into)
    }

    async fn module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        self.read_module("name = ?2", name.to_owned()).await
    }

    async fn find_module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        match self.module(name).await? {
            None => {
                let canonical = canonical(name).into_owned();
                let spelled = "replace(lower(name), '_', '-') = ?2";
                self.read_module(spelled, canonical).await
            }
            found => Ok(found),
        }
    }

    async fn changed(&self, since: u64) -> Result<Changes, RegistryError> {
        self.reader
            .run(move |connection| changed(connection, since))
            .await
            .map_err(Into::into)
    }

    async fn replace(
        &self,
        record: &ModuleRecord,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, RegistryError> {
        let (name, before) = (record.name.clone(), record.revision);
        let json = write_record(record)?;
        let entry = write("the audit log's line", entry)?;
        self.writer
            .write(&self.wakes, move |connection, changes| {
                changes.registry = replace(connection, &name, before, &json, &entry)?;
                Ok(changes.registry)
            })
            .await
            .map_err(Into::into)
    }

    async fn report(&self, rollout: &str, report: &WorkerReport) -> Result<(), RegistryError> {
        let (rollout, worker) = (rollout.to_owned(), report.worker_id.clone());
        let report = write("the worker's report", report)?;
        self.writer
            .write(&self.wakes, move |connection, _| {
                let now = Timestamp::now();
                connection.execute("DELETE FROM reports WHERE expires <= ?1", [now.as_micros()])?;
                connection.execute(
                    "INSERT INTO reports (rollout, worker, report, expires) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET report = excluded.report, expires = excluded.expires",
                    params![rollout, worker, report, now.after(REPORTS_TTL).as_micros()],
                )?;
                Ok(())
            })
            .await
            .map_err(Into::into)
    }

    async fn reports(&self, rollout: &str) -> Result<Vec<WorkerReport>, RegistryError> {
        let rollout = rollout.to_owned();
        self.reader
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT report FROM reports WHERE rollout = ?1 AND expires > ?2 ORDER BY worker",
                )?;
                let now = Timestamp::now().as_micros();
                let stored = statement.query_map(params![rollout, now], text)?;
                // A report that can't be read counts as none: a rollout waits for the worker, and names it.
                let reports = stored.filter_map(Result::ok);
                let reports = reports.map(|json| read("a worker's report", json.as_bytes()));
                Ok(reports.filter_map(Result::ok).collect())
            })
            .await
            .map_err(Into::into)
    }

    async fn count(
        &self,
        canary: &str,
        added: CanaryCounts,
    ) -> Result<CanaryCounts, RegistryError> {
        let canary = canary.to_owned();
        if added.is_empty() {
            return self
                .reader
                .run(move |connection| Ok(counts(connection, &canary)?))
                .await
                .map_err(Into::into);
        }
        self.writer
            .write(&self.wakes, move |connection, _| {
                add_counts(connection, &canary, added)?;
                Ok(counts(connection, &canary)?)
            })
            .await
            .map_err(Into::into)
    }

    async fn audit(&self, most: usize) -> Result<Vec<AuditEntry>, RegistryError> {
        self.reader
            .run(move |connection| {
                let mut statement = connection
                    .prepare_cached("SELECT entry FROM audit ORDER BY id DESC LIMIT ?1")?;
                let stored = statement.query_map([limit(most)], text)?;
                let entries = stored.map(|json| Ok(read_entry(json?.as_bytes())));
                entries.collect()
            })
            .await
            .map_err(Into::into)
    }

    async fn note_policy(&self, policy: &str, entry: &AuditEntry) -> Result<bool, RegistryError> {
        let policy = policy.to_owned();
        let entry = write("the audit log's line", entry)?;
        self.writer
            .write(&self.wakes, move |connection, _| {
                let changed = connection.execute(
                    "INSERT INTO trust_policy (id, policy) VALUES (1, ?1)
                     ON CONFLICT DO UPDATE SET policy = excluded.policy WHERE policy <> excluded.policy",
                    [policy],
                )?;
                if changed == 1 {
                    log(connection, &entry)?;
                }
                Ok(changed == 1)
            })
            .await
            .map_err(Into::into)
    }

    async fn watch(&self) -> Result<mpsc::Receiver<()>, RegistryError> {
        let wakes = self.wakes.watcher();
        self.writer.poke();
        Ok(wakes)
    }
}

/// How many times records have been changed.
pub(super) fn revision(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(revision), 0) FROM modules")?
        .query_row([], |row| Ok(count(row.get(0)?)))
}

/// What is read of a record. One that is larger than `?1` bytes stays in the file. Read as bytes, since others may have
/// stored anything.
const RECORD: &str = "SELECT CAST(name AS BLOB), revision, length(CAST(record AS BLOB)),
    CASE WHEN length(CAST(record AS BLOB)) <= ?1 THEN CAST(record AS BLOB) ELSE x'' END FROM modules";

fn found(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    let (revision, size) = (count(row.get(1)?), count(row.get(2)?));
    Ok((row.get(0)?, revision, size, row.get(3)?))
}

impl Sqlite {
    /// Reads the record of the module that satisfies the condition with this name.
    async fn read_module(
        &self,
        condition: &'static str,
        name: String,
    ) -> Result<Option<ModuleRecord>, RegistryError> {
        let query = format!("{RECORD} WHERE {condition}");
        let row = self
            .reader
            .run(move |connection| {
                let mut statement = connection.prepare_cached(&query)?;
                let row = statement.query_row(params![limit(MAX_RECORD_BYTES), name], found);
                Ok(row.optional()?)
            })
            .await?;
        let read = row.as_ref().map(|row| StoredRecord::from(row).read());
        Ok(read.transpose()?)
    }
}

fn changed(connection: &mut Connection, since: u64) -> Result<Changes, Fault> {
    // One transaction, so the records are those of the revision.
    let transaction = connection.transaction()?;
    let now = revision(&transaction)?;
    // A file that is behind the caller is not the same file as before.
    let since = if now < since { 0 } else { since };
    let query = format!("{RECORD} WHERE revision > ?2 ORDER BY revision");
    let mut statement = transaction.prepare_cached(&query)?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![limit(MAX_RECORD_BYTES), since], found)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Changes::read(now, rows.iter().map(StoredRecord::from)))
}

fn replace(
    connection: &Connection,
    name: &str,
    before: u64,
    json: &str,
    entry: &str,
) -> Result<Option<u64>, Fault> {
    let stored: Option<i64> = connection
        .prepare_cached("SELECT revision FROM modules WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if count(stored.unwrap_or_default()) != before {
        return Ok(None);
    }
    let next = revision(connection)? + 1;
    connection
        .prepare_cached(
            "INSERT INTO modules (name, revision, record) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET revision = excluded.revision, record = excluded.record",
        )?
        .execute(params![name, i64::try_from(next).unwrap_or(i64::MAX), json])?;
    log(connection, entry)?;
    Ok(Some(next))
}

fn log(connection: &Connection, entry: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO audit (entry) VALUES (?1)")?
        .execute([entry])?;
    connection
        .prepare_cached("DELETE FROM audit WHERE id <= ?1")?
        .execute([connection.last_insert_rowid() - i64::from(AUDIT_LINES)])?;
    Ok(())
}

fn add_counts(connection: &Connection, canary: &str, added: CanaryCounts) -> rusqlite::Result<()> {
    let now = Timestamp::now();
    let more = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    connection
        .prepare_cached("DELETE FROM canary_counts WHERE expires <= ?1")?
        .execute([now.as_micros()])?;
    connection
        .prepare_cached(
            "INSERT INTO canary_counts VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET
             canary_ok = canary_ok + excluded.canary_ok, canary_failed = canary_failed + excluded.canary_failed,
             active_ok = active_ok + excluded.active_ok, active_failed = active_failed + excluded.active_failed,
             expires = excluded.expires",
        )?
        .execute(params![
            canary,
            more(added.canary_ok),
            more(added.canary_failed),
            more(added.active_ok),
            more(added.active_failed),
            now.after(COUNTS_TTL).as_micros()
        ])?;
    Ok(())
}

fn counts(connection: &Connection, canary: &str) -> rusqlite::Result<CanaryCounts> {
    let found = connection
        .prepare_cached(
            "SELECT canary_ok, canary_failed, active_ok, active_failed FROM canary_counts
             WHERE canary = ?1 AND expires > ?2",
        )?
        .query_row(params![canary, Timestamp::now().as_micros()], |row| {
            Ok(CanaryCounts {
                canary_ok: count(row.get(0)?),
                canary_failed: count(row.get(1)?),
                active_ok: count(row.get(2)?),
                active_failed: count(row.get(3)?),
            })
        });
    Ok(found.optional()?.unwrap_or_default())
}

fn text(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}
