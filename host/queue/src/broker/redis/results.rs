//! The result backend: states, results, heartbeats.
//!
//! Must not know deliveries or leases.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chicory_signature::TenantName;
use futures::future::try_join_all;
use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use super::connection::Connection;
use super::keys::ResultKeys;
use super::script::STORE;
use super::tenants;
use super::wait::Waits;
use crate::results::{WAIT_POLL, purged_body};
use crate::{
    BrokerError, Reply, ResultRecord, Results, ResultsConfig, TaskResult, TaskState, WorkerInfo,
};

/// Heartbeats asked for at once.
const PAGE: usize = 500;

/// Results on a Redis server: the broker's, or one of their own.
#[derive(Debug)]
pub(super) struct RedisResults {
    pub(super) connection: Arc<Connection>,
    /// For large values, so nothing else waits behind them.
    pub(super) bulk: Arc<Connection>,
    pub(super) keys: ResultKeys,
    ttl_seconds: u64,
    waits: Waits,
}

impl RedisResults {
    pub(super) fn new(
        connection: Arc<Connection>,
        bulk: Arc<Connection>,
        config: &ResultsConfig,
    ) -> Self {
        Self {
            waits: Waits::new(
                Arc::clone(connection.server()),
                ResultKeys::new(&config.key_prefix),
            ),
            connection,
            bulk,
            keys: ResultKeys::new(&config.key_prefix),
            ttl_seconds: whole_seconds(config.ttl),
        }
    }

    /// The results of a tenant. Records are written under the tenant that they name, so they need no such view.
    pub(super) fn of(&self, tenant: &TenantName) -> Self {
        let keys = self.keys.of(tenant);
        Self {
            waits: Waits::new(Arc::clone(self.connection.server()), keys.clone()),
            connection: Arc::clone(&self.connection),
            bulk: Arc::clone(&self.bulk),
            keys,
            ttl_seconds: self.ttl_seconds,
        }
    }

    /// Removes everything of a tenant's view; returns the number of keys.
    pub(super) async fn remove_all(&self) -> Result<u64, BrokerError> {
        tenants::remove_all(&self.connection, &self.keys.everything()).await
    }

    /// Writes states and results, and notifies waiting clients.
    pub(super) async fn write(&self, records: &[&ResultRecord<'_>]) -> Result<(), BrokerError> {
        if self.write_each(records).await?.contains(&false) {
            let text = "a node of the Cluster that has a result does not answer";
            let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
            return Err(self.connection.server().broker_error(&error.into()));
        }
        Ok(())
    }

    /// Writes all in one step.
    pub(super) async fn write_together(
        &self,
        records: &[&ResultRecord<'_>],
    ) -> Result<(), BrokerError> {
        let mut command = STORE.command_on(2 * records.len());
        for record in records {
            self.add_keys(&mut command, record);
        }
        self.add_terms(&mut command);
        for record in records {
            self.add(&mut command, record);
        }
        let refused: bool = self.connection.call(&STORE, &command).await?;
        self.connection.server().hints().note(refused);
        Ok(())
    }

    /// How long results are kept, in seconds; 0 means forever.
    pub(super) fn ttl_seconds(&self) -> u64 {
        self.ttl_seconds
    }

    /// Whether these tasks have ended by themselves and have results, one answer each.
    pub(super) async fn there(&self, task_ids: &[&str]) -> Result<Vec<bool>, BrokerError> {
        let purged = &purged_body();
        let asked = task_ids.iter().map(|task_id| async move {
            // The beginning is enough, even if each character of the id is escaped.
            let mut command = cmd("GETRANGE");
            command.arg(self.keys.result(task_id)).arg(0);
            command.arg(6 * task_id.len() + purged.len() + 32);
            let body: Vec<u8> = self.connection.ask(&command).await?;
            Ok(!body.is_empty() && !String::from_utf8_lossy(&body).contains(purged))
        });
        futures::future::try_join_all(asked).await
    }

    /// Adds the two keys that the scripts write a task's state and result under.
    pub(super) fn add_keys(&self, command: &mut Cmd, record: &ResultRecord<'_>) {
        let [state, result] = self.keys.both_of(&record.tenant, &record.task_id);
        command.arg(state).arg(result);
    }

    /// Adds what is the same for all results of a script: see `results.lua`.
    pub(super) fn add_terms(&self, command: &mut Cmd) {
        command
            .arg(self.ttl_seconds)
            .arg(self.keys.waiting())
            .arg(self.keys.result_prefix())
            .arg(self.keys.done_prefix());
    }

    /// Adds a state, a result and the channel of an inbox.
    pub(super) fn add(&self, command: &mut Cmd, record: &ResultRecord<'_>) {
        command
            .arg(record.state.name())
            .arg(record.body.as_deref().unwrap_or_default());
        match &record.reply_to {
            Some(inbox) => command.arg(self.keys.reply_of(&record.tenant, inbox)),
            None => command.arg(""),
        };
    }

    async fn worker_ids(&self) -> Result<Vec<String>, BrokerError> {
        self.connection
            .ask(cmd("SMEMBERS").arg(self.keys.workers()))
            .await
    }

    /// The heartbeats of these workers; `None` where one has expired.
    async fn heartbeats(&self, ids: &[String]) -> Result<Vec<Option<String>>, BrokerError> {
        let keys: Vec<String> = ids.iter().map(|id| self.keys.heartbeat(id)).collect();
        if self.connection.server().topology().keys_are_together() {
            return self.connection.ask(cmd("MGET").arg(keys)).await;
        }
        let asked = keys.iter().map(|key| async move {
            let mut command = cmd("GET");
            self.connection.ask(command.arg(key)).await
        });
        try_join_all(asked).await
    }
}

#[async_trait]
impl Results for RedisResults {
    async fn store(&self, records: &[ResultRecord<'_>]) -> Result<(), BrokerError> {
        self.write(&records.iter().collect::<Vec<_>>()).await
    }

    async fn state(&self, task_id: &str) -> Result<Option<TaskState>, BrokerError> {
        let key = self.keys.state(task_id);
        let name: Option<String> = self.connection.ask(cmd("GET").arg(key)).await?;
        Ok(name.as_deref().and_then(TaskState::parse))
    }

    async fn result(&self, task_id: &str) -> Result<Option<TaskResult>, BrokerError> {
        let key = self.keys.result(task_id);
        let body: Option<Vec<u8>> = self.connection.ask(cmd("GET").arg(key)).await?;
        body.map(|body| TaskResult::decode(task_id, &body))
            .transpose()
    }

    async fn wait(
        &self,
        task_id: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<TaskResult>, BrokerError> {
        // A timeout beyond the range of the clock means no timeout.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // The wake-up is registered before the result is looked for, so nothing is missed in between.
        let mut watch = self.waits.watch(task_id).await;
        loop {
            let poll = Instant::now() + WAIT_POLL;
            let until = deadline.map_or(poll, |deadline| deadline.min(poll));
            // A result that is there already, or the news of one: whichever comes first.
            let heard = tokio::select! {
                Some(body) = watch.ended() => Ok(Some(body)),
                found = self.result(task_id) => match found? {
                    Some(result) => return Ok(Some(result)),
                    None => tokio::time::timeout_at(until, watch.ended()).await,
                },
            };
            match heard {
                Ok(Some(body)) => return TaskResult::decode(task_id, &body).map(Some),
                Ok(None) => {
                    tokio::time::sleep_until(until).await;
                    watch = self.waits.watch(task_id).await;
                }
                Err(_) => {}
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    async fn inbox(&self, task_id: &str) -> Option<Reply> {
        self.waits.inbox(task_id).await
    }

    async fn awaited(&self, task_ids: &[&str]) -> Result<Vec<bool>, BrokerError> {
        let channels = task_ids.iter().map(|id| self.keys.done(id));
        let mut command = cmd("PUBSUB");
        command.arg("NUMSUB").arg(channels.collect::<Vec<_>>());
        match self.connection.ask::<Vec<(String, u64)>>(&command).await {
            Ok(counts) if counts.len() == task_ids.len() => {
                Ok(counts.iter().map(|(_, count)| *count > 0).collect())
            }
            // A Cluster's nodes don't know each other's subscribers, and a user may lack the right to ask.
            Ok(_) | Err(BrokerError::Refused { .. }) => Ok(vec![false; task_ids.len()]),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, task_id: &str) -> Result<bool, BrokerError> {
        // One by one: on a Cluster they may be on different nodes.
        let mut deleted = 0;
        for key in [self.keys.state(task_id), self.keys.result(task_id)] {
            deleted += self.connection.ask::<u64>(cmd("DEL").arg(key)).await?;
        }
        Ok(deleted > 0)
    }

    async fn heartbeat(&self, worker: &WorkerInfo, ttl: Duration) -> Result<(), BrokerError> {
        let body = worker.encode();
        let mut command = cmd("SETEX");
        command
            .arg(self.keys.heartbeat(&worker.worker_id))
            .arg(whole_seconds(ttl).max(1))
            .arg(body);
        self.connection.ask::<Value>(&command).await?;
        let mut command = cmd("SADD");
        command.arg(self.keys.workers()).arg(&worker.worker_id);
        self.connection.ask::<Value>(&command).await.map(|_| ())
    }

    async fn sign_off(&self, worker_id: &str) -> Result<(), BrokerError> {
        let mut command = cmd("SREM");
        command.arg(self.keys.workers()).arg(worker_id);
        self.connection.ask::<Value>(&command).await?;
        let mut command = cmd("DEL");
        command.arg(self.keys.heartbeat(worker_id));
        self.connection.ask::<Value>(&command).await.map(|_| ())
    }

    async fn workers(&self) -> Result<Vec<WorkerInfo>, BrokerError> {
        let mut workers = Vec::new();
        for ids in self.worker_ids().await?.chunks(PAGE) {
            let heartbeats = self.heartbeats(ids).await?;
            // A heartbeat that lacks a field was written by another system.
            workers.extend(
                heartbeats
                    .iter()
                    .flatten()
                    .filter_map(|body| serde_json::from_str(body).ok()),
            );
        }
        Ok(workers)
    }

    async fn remove_stale_workers(&self) -> Result<u64, BrokerError> {
        let mut removed = 0;
        for ids in self.worker_ids().await?.chunks(PAGE) {
            let heartbeats = self.heartbeats(ids).await?;
            let over = ids
                .iter()
                .zip(&heartbeats)
                .filter(|(_, body)| body.is_none());
            let over: Vec<&String> = over.map(|(id, _)| id).collect();
            if !over.is_empty() {
                // A worker that beats at this very moment adds itself again with its next heartbeat.
                let mut command = cmd("SREM");
                command.arg(self.keys.workers()).arg(over);
                removed += self.connection.ask::<u64>(&command).await?;
            }
        }
        Ok(removed)
    }
}

/// Seconds, rounded up, as expiry times are given.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_never_becomes_for_ever() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
    }
}
