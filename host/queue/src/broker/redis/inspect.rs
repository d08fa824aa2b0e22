//! What operators can ask the broker: sizes, delayed messages, consumers, purges.
//!
//! Must not be on a task's path.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

use super::RedisBroker;
use super::dead_letters;
use super::facts;
use super::fault::{is_no_group, is_no_key};
use super::messages;
use super::names;
use super::purge;
use super::replay;
use super::script::{DELETE_DEAD_LETTER, REMOVE_CONSUMERS, REMOVE_STALE_CONSUMERS, STATS};
use super::tenants;
use crate::{
    BrokerError, Consumer, DeadLetter, DeadLetterRange, DelayedMessage, Inspect, QueueStats,
    ReplayOptions, ScanCursor, ScanPage, StoreFacts, TaskMessage, Timestamp,
};

#[async_trait]
impl Inspect for RedisBroker {
    async fn queues(&self) -> Result<Vec<String>, BrokerError> {
        names::list(self).await
    }

    async fn find_queues(&self) -> Result<Vec<String>, BrokerError> {
        names::find(self).await
    }

    async fn stats(&self, queue: &str) -> Result<QueueStats, BrokerError> {
        if !self.tenant.is_default() {
            return tenants::stats(self, queue).await;
        }
        let keys = &self.keys;
        let mut command =
            STATS.command(&[&keys.stream(queue), &keys.delayed(queue), &keys.dlq(queue)]);
        command.arg(&self.group);
        let (size, pending, delayed, dead, consumers, oldest): (_, _, _, _, _, i64) =
            self.connection.call(&STATS, &command).await?;
        Ok(QueueStats {
            size,
            pending,
            delayed,
            dead,
            consumers,
            oldest_ready_ms: u64::try_from(oldest).ok(),
        })
    }

    async fn delayed(&self, queue: &str, count: usize) -> Result<Vec<DelayedMessage>, BrokerError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut command = cmd("ZRANGE");
        command
            .arg(self.keys.delayed(queue))
            .arg(0)
            .arg(count - 1)
            .arg("WITHSCORES");
        let members: Vec<(Vec<u8>, f64)> = self.connection.ask(&command).await?;
        let delayed = members.into_iter().map(|(data, due)| DelayedMessage {
            due: Timestamp::from_seconds(due),
            message: TaskMessage::decode(&data.into()).ok(),
        });
        Ok(delayed.collect())
    }

    async fn purge(&self, queue: &str) -> Result<u64, BrokerError> {
        purge::messages(self, queue).await
    }

    async fn dead_letters(
        &self,
        queue: &str,
        range: DeadLetterRange,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        dead_letters::list(self, queue, &range).await
    }

    async fn dead_letter(&self, queue: &str, id: &str) -> Result<Option<DeadLetter>, BrokerError> {
        Ok(dead_letters::find(self, queue, id)
            .await?
            .map(|found| found.letter))
    }

    async fn replay(
        &self,
        queue: &str,
        id: &str,
        options: ReplayOptions,
    ) -> Result<bool, BrokerError> {
        replay::replay(self, queue, id, options).await
    }

    async fn delete_dead_letter(&self, queue: &str, id: &str) -> Result<bool, BrokerError> {
        let Some(found) = dead_letters::find(self, queue, id).await? else {
            return Ok(false);
        };
        let keys = [self.keys.dlq(queue), self.keys.dead_index(queue)];
        let mut command = DELETE_DEAD_LETTER.command(&[&keys[0], &keys[1]]);
        command.arg(found.letter.id).arg(found.letter.task_id);
        self.connection.call(&DELETE_DEAD_LETTER, &command).await
    }

    async fn purge_dead_letters(&self, queue: &str) -> Result<u64, BrokerError> {
        purge::dead_letters(self, queue).await
    }

    async fn scan(&self, queue: &str, cursor: ScanCursor) -> Result<ScanPage, BrokerError> {
        messages::scan(self, queue, cursor).await
    }

    async fn consumers(&self, queue: &str) -> Result<Vec<Consumer>, BrokerError> {
        let mut command = cmd("XINFO");
        command
            .arg("CONSUMERS")
            .arg(self.keys.stream(queue))
            .arg(&self.group);
        let reply: redis::RedisResult<redis::streams::StreamInfoConsumersReply> =
            self.connection.query(&command).await;
        match reply {
            Ok(reply) => Ok(reply
                .consumers
                .into_iter()
                .map(|consumer| Consumer {
                    name: consumer.name,
                    pending: consumer.pending as u64,
                    idle_ms: consumer.idle as u64,
                })
                .collect()),
            Err(error) if is_no_group(&error) || is_no_key(&error) => Ok(Vec::new()),
            Err(error) => Err(self.connection.server().broker_error(&error)),
        }
    }

    async fn remove_consumers(&self, queue: &str, names: &[String]) -> Result<u64, BrokerError> {
        let streams = [self.keys.stream(queue), self.keys.admitted(queue)];
        let mut command = REMOVE_CONSUMERS.command(&[&streams[0], &streams[1]]);
        command.arg(&self.group).arg(names);
        self.connection.call(&REMOVE_CONSUMERS, &command).await
    }

    async fn facts(&self) -> Result<Vec<StoreFacts>, BrokerError> {
        Box::pin(facts::facts(self)).await
    }

    async fn remove_stale_consumers(
        &self,
        queue: &str,
        idle: Duration,
    ) -> Result<u64, BrokerError> {
        let streams = [self.keys.stream(queue), self.keys.admitted(queue)];
        let mut command = REMOVE_STALE_CONSUMERS.command(&[&streams[0], &streams[1]]);
        command
            .arg(&self.group)
            .arg(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
        self.connection
            .call(&REMOVE_STALE_CONSUMERS, &command)
            .await
    }
}
