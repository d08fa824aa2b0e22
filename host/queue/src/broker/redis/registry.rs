//! The registry on Redis: records in a hash, each blob under a key of its own.
//!
//! Must not know what a record says, nor check a blob.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Msg, Value, cmd};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::keys::RegistryKeys;
use super::script::{CHANGED, COUNT, MODULE, NOTE_POLICY, REPLACE, REPORT};
use super::subscription::{Listener, Subscription};
use crate::{AuditEntry, CanaryCounts, ModuleRecord, Registry, RegistryError, WorkerReport};
use chicory_registry::Changes;
use chicory_registry::stored::{
    AUDIT_LINES, COUNTS_TTL, MAX_RECORD_BYTES, REPORTS_TTL, StoredRecord, StoredRow, read,
    read_entry, write, write_record,
};
use chicory_signature::canonical;

/// The registry, on the broker's server.
#[derive(Debug)]
pub(super) struct RedisRegistry {
    connection: Arc<Connection>,
    keys: RegistryKeys,
}

impl RedisRegistry {
    pub(super) fn new(connection: Arc<Connection>, keys: RegistryKeys) -> Self {
        Self { connection, keys }
    }

    /// Reads a record by the module's name, or by its canonical form if one is given.
    async fn read_module(
        &self,
        name: &str,
        canonical: &str,
    ) -> Result<Option<ModuleRecord>, RegistryError> {
        let mut command = MODULE.command(&[&self.keys.records(), &self.keys.revisions()]);
        command.arg(name).arg(canonical).arg(MAX_RECORD_BYTES);
        let found: Option<StoredRow> = self.connection.call(&MODULE, &command).await?;
        let read = found.as_ref().map(|found| StoredRecord::from(found).read());
        Ok(read.transpose()?)
    }
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn put_blob(&self, digest: &str, bytes: Bytes) -> Result<(), RegistryError> {
        let mut command = cmd("SET");
        command
            .arg(self.keys.blob(digest))
            .arg(&bytes[..])
            .arg("NX");
        self.connection.ask::<Value>(&command).await?;
        Ok(())
    }

    async fn blob(&self, digest: &str) -> Result<Option<Bytes>, RegistryError> {
        let mut command = cmd("GET");
        command.arg(self.keys.blob(digest));
        let bytes: Option<Vec<u8>> = self.connection.ask(&command).await?;
        Ok(bytes.map(Bytes::from))
    }

    async fn delete_blob(&self, digest: &str) -> Result<(), RegistryError> {
        let mut command = cmd("DEL");
        command.arg(self.keys.blob(digest));
        self.connection.ask::<Value>(&command).await?;
        Ok(())
    }

    async fn names(&self) -> Result<Vec<String>, RegistryError> {
        let mut command = cmd("HKEYS");
        command.arg(self.keys.records());
        let names: Vec<Vec<u8>> = self.connection.ask(&command).await?;
        // No module has a name that is not text; its record is among those that can't be read.
        let names = names.into_iter().map(String::from_utf8);
        Ok(names.filter_map(Result::ok).collect())
    }

    async fn module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        self.read_module(name, "").await
    }

    async fn find_module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        self.read_module(name, &canonical(name)).await
    }

    async fn changed(&self, since: u64) -> Result<Changes, RegistryError> {
        let keys = &self.keys;
        let mut command = CHANGED.command(&[&keys.records(), &keys.revisions(), &keys.revision()]);
        command.arg(since).arg(MAX_RECORD_BYTES);
        let (revision, found): (u64, Vec<StoredRow>) =
            self.connection.call(&CHANGED, &command).await?;
        Ok(Changes::read(
            revision,
            found.iter().map(StoredRecord::from),
        ))
    }

    async fn replace(
        &self,
        record: &ModuleRecord,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, RegistryError> {
        let keys = &self.keys;
        let mut command = REPLACE.command(&[
            &keys.records(),
            &keys.revisions(),
            &keys.revision(),
            &keys.audit(),
        ]);
        command
            .arg(&record.name)
            .arg(record.revision)
            .arg(write_record(record)?)
            .arg(write("the audit log's line", entry)?)
            .arg(AUDIT_LINES)
            .arg(keys.changed());
        let (revision, refused): (u64, bool) = self.connection.call(&REPLACE, &command).await?;
        self.connection.server().hints().note(refused);
        Ok(Some(revision).filter(|revision| *revision > 0))
    }

    async fn report(&self, rollout: &str, report: &WorkerReport) -> Result<(), RegistryError> {
        let mut command = REPORT.command(&[&self.keys.rollout(rollout)]);
        command
            .arg(&report.worker_id)
            .arg(write("the worker's report", report)?)
            .arg(REPORTS_TTL.as_secs());
        self.connection.call::<Value>(&REPORT, &command).await?;
        Ok(())
    }

    async fn reports(&self, rollout: &str) -> Result<Vec<WorkerReport>, RegistryError> {
        let mut command = cmd("HVALS");
        command.arg(self.keys.rollout(rollout));
        let stored: Vec<Vec<u8>> = self.connection.ask(&command).await?;
        // A report that can't be read counts as none: a rollout waits for the worker, and names it.
        let reports = stored.iter().map(|json| read("a worker's report", json));
        Ok(reports.filter_map(Result::ok).collect())
    }

    async fn count(
        &self,
        canary: &str,
        added: CanaryCounts,
    ) -> Result<CanaryCounts, RegistryError> {
        let mut command = COUNT.command(&[&self.keys.canary(canary)]);
        command.arg(COUNTS_TTL.as_secs());
        for (field, more) in [
            ("canary_ok", added.canary_ok),
            ("canary_failed", added.canary_failed),
            ("active_ok", added.active_ok),
            ("active_failed", added.active_failed),
        ] {
            command.arg(field).arg(more);
        }
        let counts: [Option<u64>; 4] = self.connection.call(&COUNT, &command).await?;
        let [canary_ok, canary_failed, active_ok, active_failed] =
            counts.map(Option::unwrap_or_default);
        Ok(CanaryCounts {
            canary_ok,
            canary_failed,
            active_ok,
            active_failed,
        })
    }

    async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, RegistryError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut command = cmd("XREVRANGE");
        command.arg(self.keys.audit()).arg("+").arg("-");
        command.arg("COUNT").arg(limit);
        let lines: Vec<(String, (String, Vec<u8>))> = self.connection.ask(&command).await?;
        let entries = lines.iter().map(|(_, (_, json))| read_entry(json));
        Ok(entries.collect())
    }

    async fn note_policy(&self, policy: &str, entry: &AuditEntry) -> Result<bool, RegistryError> {
        let mut command = NOTE_POLICY.command(&[&self.keys.policy(), &self.keys.audit()]);
        command
            .arg(policy)
            .arg(write("the audit log's line", entry)?)
            .arg(AUDIT_LINES);
        Ok(self.connection.call(&NOTE_POLICY, &command).await?)
    }

    async fn watch(&self) -> Result<mpsc::Receiver<()>, RegistryError> {
        self.listen(vec![self.keys.changed()]).await
    }

    async fn watch_as(&self, worker_id: &str) -> Result<mpsc::Receiver<()>, RegistryError> {
        let channels = vec![self.keys.changed(), self.keys.present(worker_id)];
        self.listen(channels).await
    }

    /// On a Cluster, each node knows only its own subscribers.
    async fn present(&self, worker_ids: &[String]) -> Result<Option<Vec<bool>>, RegistryError> {
        if !self.connection.server().topology().keys_are_together() {
            return Ok(None);
        }
        let channels: Vec<_> = worker_ids.iter().map(|id| self.keys.present(id)).collect();
        let mut command = cmd("PUBSUB");
        command.arg("NUMSUB").arg(&channels);
        let subscribers: Vec<(String, u64)> = match self.connection.query(&command).await {
            Ok(subscribers) => subscribers,
            Err(error) if self.connection.server().hints().refuses(&error) => return Ok(None),
            Err(error) => return Err(self.connection.server().broker_error(&error).into()),
        };
        let count: HashMap<_, _> = subscribers.into_iter().collect();
        let is_there = |channel| count.get(channel).is_some_and(|count| *count > 0);
        Ok(Some(channels.iter().map(is_there).collect()))
    }
}

impl RedisRegistry {
    async fn listen(&self, channels: Vec<String>) -> Result<mpsc::Receiver<()>, RegistryError> {
        // One wake-up that has not been taken yet stands for all that follow.
        let (wakes, receiver) = mpsc::channel(1);
        let subscription = Subscription {
            server: Arc::clone(self.connection.server()),
            channels,
            listener: Box::new(Watcher(wakes)),
        };
        subscription.start().await?;
        Ok(receiver)
    }
}

/// A listener that watches the registry.
struct Watcher(mpsc::Sender<()>);

#[async_trait]
impl Listener for Watcher {
    fn hear(&self, _: &Msg) {
        self.missed();
    }

    fn missed(&self) {
        let _ = self.0.try_send(());
    }

    async fn gone(&self) {
        self.0.closed().await;
    }
}
