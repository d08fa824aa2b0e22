//! The registry on Redis: records in a hash, blobs each under a key of its own.
//!
//! Must not know what a record says, nor check a blob.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Msg, Value, cmd};
use serde_json::Map;
use tokio::sync::mpsc;

use super::connection::Connection;
use super::keys::RegistryKeys;
use super::script::{CHANGED, COUNT, NOTE_POLICY, REPLACE, REPORT};
use super::subscription::{Listener, Subscription};
use crate::{AuditEntry, CanaryCounts, ModuleRecord, Registry, RegistryError, WorkerReport};
use chicory_registry::stored::{AUDIT_LINES, COUNTS_TTL, REPORTS_TTL, read, write};

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
        Ok(self.connection.ask(&command).await?)
    }

    async fn module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        let mut command = cmd("HGET");
        command.arg(self.keys.records()).arg(name);
        let stored: Option<Vec<u8>> = self.connection.ask(&command).await?;
        let what = format!("the record of module {name:?}");
        stored.map(|json| read(&what, &json)).transpose()
    }

    async fn changed(&self, since: u64) -> Result<(u64, Vec<ModuleRecord>), RegistryError> {
        let keys = &self.keys;
        let mut command = CHANGED.command(&[&keys.records(), &keys.revisions(), &keys.revision()]);
        command.arg(since);
        let (revision, stored): (u64, Vec<Vec<u8>>) =
            self.connection.call(&CHANGED, &command).await?;
        let records = stored.iter().map(|json| read("a module's record", json));
        Ok((revision, records.collect::<Result<_, _>>()?))
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
            .arg(without_revision(record)?)
            .arg(write("the audit log's line", entry)?)
            .arg(AUDIT_LINES)
            .arg(keys.changed());
        let revision: u64 = self.connection.call(&REPLACE, &command).await?;
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
        let reports = stored.iter().map(|json| read("a worker's report", json));
        reports.collect()
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
        let entries = lines
            .iter()
            .map(|(_, (_, json))| read("a line of the audit log", json));
        entries.collect()
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
        // One wake-up that was not taken yet stands for all that follow.
        let (wakes, receiver) = mpsc::channel(1);
        let subscription = Subscription {
            server: Arc::clone(self.connection.server()),
            channels: vec![self.keys.changed()],
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

/// The record without its revision: the script adds the new one.
fn without_revision(record: &ModuleRecord) -> Result<String, RegistryError> {
    let what = format!("the record of module {:?}", record.name);
    let mut members: Map<String, serde_json::Value> =
        read(&what, write(&what, record)?.as_bytes())?;
    members.remove("revision");
    write(&what, &members)
}
