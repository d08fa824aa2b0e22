//! Results that are written by plain commands: on a Cluster, where each key may be on a different node, and large ones anywhere.
//!
//! A script copies each of its arguments several times, and no other client of the server is served meanwhile: 40 ms for 8 MB. A
//! plain SET keeps the value as it was read. If a result belongs to the step that settles its task, it is written ahead, under a
//! key of its own, and the script only renames the key. A key whose script never comes expires. Must not know deliveries.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::fault::is_no_permission;
use super::keys::TaskKey;
use super::results::RedisResults;
use crate::{BrokerError, LARGE_BYTES, ResultRecord, new_id};

/// How long a result that was written ahead is there for its script.
const AHEAD: Duration = Duration::from_mins(1);

/// Whether a result is too large for a script.
pub(super) fn is_large(record: &ResultRecord<'_>) -> bool {
    (record.body.as_ref()).is_some_and(|body| body.len() > LARGE_BYTES)
}

impl RedisResults {
    fn together(&self) -> bool {
        self.connection.server().topology().keys_are_together()
    }

    /// Writes states and results, and notifies waiting clients; says for each whether it was written. On a Cluster none waits for a
    /// node that does not answer.
    pub(super) async fn write_each(
        &self,
        records: &[&ResultRecord<'_>],
    ) -> Result<Vec<bool>, BrokerError> {
        let together = self.together();
        let (plain, scripted): (Vec<&ResultRecord<'_>>, Vec<_>) = (records.iter())
            .copied()
            .partition(|record| !together || is_large(record));
        if !scripted.is_empty() {
            self.write_together(&scripted).await?;
        }
        let written = plain.iter().map(|record| self.write_one(record));
        let written = try_join_all(written).await?;
        let told = (plain.iter().zip(&written)).filter(|(_, written)| **written);
        join_all(told.map(|(record, _)| self.tell(record))).await;
        let mut plain = written.into_iter();
        let each = records.iter().map(|record| {
            let by_script = together && !is_large(record);
            by_script || plain.next().unwrap_or_default()
        });
        Ok(each.collect())
    }

    /// Writes a state, then the result, so a reader that sees the result also sees the state.
    async fn write_one(&self, record: &ResultRecord<'_>) -> Result<bool, BrokerError> {
        let [state, result] = self.keys.both_of(&record.tenant, &record.task_id);
        let way = if is_large(record) {
            &self.bulk
        } else {
            &self.connection
        };
        Ok(self.put(way, &state, record.state.name()).await?
            && match &record.body {
                Some(body) => self.put(way, &result, body).await?,
                None => true,
            })
    }

    /// Sets a key, unless the node that has it does not answer.
    async fn put(
        &self,
        way: &Connection,
        key: &TaskKey<'_>,
        value: &str,
    ) -> Result<bool, BrokerError> {
        let mut command = cmd("SET");
        command.arg(key).arg(value);
        if self.ttl_seconds() > 0 {
            command.arg("EX").arg(self.ttl_seconds());
        }
        let set = way.ask::<Value>(&command);
        match way.unless_troubled(&key.to_string(), set).await {
            Some(Ok(_)) => Ok(true),
            None => Ok(false),
            Some(Err(error)) if error.is_transient() && !self.together() => Ok(false),
            Some(Err(error)) => Err(error),
        }
    }

    /// Writes a result ahead of its script and returns its key; `None` if the user may not do so.
    pub(super) async fn write_ahead(&self, body: &str) -> Result<Option<String>, BrokerError> {
        let key = self.keys.ahead(&new_id());
        let mut command = cmd("SET");
        command.arg(&key).arg(body).arg("EX").arg(AHEAD.as_secs());
        match self.bulk.query::<Value>(&command).await {
            Ok(_) => Ok(Some(key)),
            Err(error) if is_no_permission(&error) => Ok(None),
            Err(error) => Err(self.bulk.server().broker_error(&error)),
        }
    }

    /// Notifies those who wait of a result that no script has published. Nobody depends on it: they also look for themselves.
    pub(super) async fn tell(&self, record: &ResultRecord<'_>) {
        let Some(body) = &record.body else {
            return;
        };
        let keys = self.keys.of(&record.tenant);
        let inbox = (record.reply_to.as_ref()).map(|inbox| keys.reply(inbox));
        let mut channels: Vec<String> = (inbox.into_iter())
            .chain([keys.done(&record.task_id)])
            .collect();
        if is_large(record) {
            self.keep_heard(&mut channels).await;
        }
        for channel in channels {
            let mut command = cmd("PUBLISH");
            command.arg(channel).arg(&**body);
            self.publish(&command).await;
        }
    }

    /// Keeps only the channels that have listeners, if the server knows which and says so.
    async fn keep_heard(&self, channels: &mut Vec<String>) {
        if !self.together() {
            return;
        }
        let mut command = cmd("PUBSUB");
        command.arg("NUMSUB").arg(&*channels);
        if let Ok(heard) = self.bulk.query::<HashMap<String, u64>>(&command).await {
            channels.retain(|channel| heard.get(channel).is_none_or(|count| *count > 0));
        }
    }

    async fn publish(&self, notice: &Cmd) {
        if let Err(error) = self.bulk.query::<Value>(notice).await {
            self.connection.server().hints().refuses(&error);
        }
    }
}
