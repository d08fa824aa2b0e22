//! The operators' side: reads on a connection of their own, so no task waits for a long list.
//!
//! Must not be on a task's path.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::enqueue::{count, counts};
use super::fetch::limit;
use super::{Sqlite, dead, messages, place, purge};
use crate::{
    BrokerError, Consumer, DeadLetter, DeadLetterRange, DelayedMessage, Inspect, QueueStats,
    ReplayOptions, ScanCursor, ScanPage, StoreFacts, TaskMessage, Timestamp,
};

#[async_trait]
impl Inspect for Sqlite {
    async fn queues(&self) -> Result<Vec<String>, BrokerError> {
        let parts = self
            .reader
            .run(|connection| Ok(queues(connection)?))
            .await?;
        let own = parts.iter().filter_map(|part| {
            let (queue, tenant) = place::owner(part);
            (tenant == self.tenant).then(|| queue.to_owned())
        });
        Ok(own.collect())
    }

    async fn find_queues(&self) -> Result<Vec<String>, BrokerError> {
        self.queues().await
    }

    async fn stats(&self, queue: &str) -> Result<QueueStats, BrokerError> {
        let queue = self.part(queue)?;
        self.reader
            .run(move |connection| Ok(stats(connection, &queue)?))
            .await
    }

    async fn delayed(&self, queue: &str, count: usize) -> Result<Vec<DelayedMessage>, BrokerError> {
        let queue = self.part(queue)?;
        self.reader
            .run(move |connection| Ok(delayed(connection, &queue, count)?))
            .await
    }

    async fn purge(&self, queue: &str) -> Result<u64, BrokerError> {
        purge::messages(self, &self.part(queue)?).await
    }

    async fn dead_letters(
        &self,
        queue: &str,
        range: DeadLetterRange,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        let queue = self.part(queue)?;
        self.reader
            .run(move |connection| dead::list(connection, &queue, &range))
            .await
    }

    async fn dead_letter(&self, queue: &str, id: &str) -> Result<Option<DeadLetter>, BrokerError> {
        let (queue, id) = (self.part(queue)?, id.to_owned());
        self.reader
            .run(move |connection| Ok(dead::find(connection, &queue, &id)?))
            .await
    }

    async fn replay(
        &self,
        queue: &str,
        id: &str,
        options: ReplayOptions,
    ) -> Result<bool, BrokerError> {
        let (target, id) = (self.target(queue)?, id.to_owned());
        self.writer
            .write(&self.wakes, move |connection, changes| {
                let replayed = dead::replay(connection, &target, &id, options)?;
                changes.ready = replayed;
                Ok(replayed)
            })
            .await
    }

    async fn delete_dead_letter(&self, queue: &str, id: &str) -> Result<bool, BrokerError> {
        let (queue, id) = (self.part(queue)?, id.to_owned());
        self.writer
            .write(&self.wakes, move |connection, _| {
                Ok(dead::delete(connection, &queue, &id)?)
            })
            .await
    }

    async fn purge_dead_letters(&self, queue: &str) -> Result<u64, BrokerError> {
        purge::dead_letters(self, &self.part(queue)?).await
    }

    async fn scan(&self, queue: &str, cursor: ScanCursor) -> Result<ScanPage, BrokerError> {
        let queue = self.part(queue)?;
        self.reader
            .run(move |connection| Ok(messages::scan(connection, &queue, cursor)?))
            .await
    }

    async fn consumers(&self, queue: &str) -> Result<Vec<Consumer>, BrokerError> {
        let queue = self.part(queue)?;
        self.reader
            .run(move |connection| Ok(consumers(connection, &queue)?))
            .await
    }

    async fn remove_consumers(&self, queue: &str, names: &[String]) -> Result<u64, BrokerError> {
        let (queue, names) = (queue.to_owned(), names.to_vec());
        self.writer
            .write(&self.wakes, move |connection, _| {
                let mut statement = connection.prepare_cached(
                    "DELETE FROM consumers WHERE queue = ?1 AND name = ?2
                     AND NOT EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND consumer = ?2)",
                )?;
                let mut removed = 0;
                for name in &names {
                    removed += statement.execute([&queue, name])?;
                }
                Ok(removed as u64)
            })
            .await
    }

    async fn facts(&self) -> Result<Vec<StoreFacts>, BrokerError> {
        Ok(vec![StoreFacts {
            product: format!("SQLite {}", rusqlite::version()),
            ..StoreFacts::default()
        }])
    }

    async fn remove_stale_consumers(
        &self,
        queue: &str,
        idle: Duration,
    ) -> Result<u64, BrokerError> {
        let queue = self.part(queue)?;
        let idle = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
        self.writer
            .write(&self.wakes, move |connection, _| {
                let seen_before = Timestamp::now().as_micros().saturating_sub(idle);
                let removed = connection.execute(
                    "DELETE FROM consumers WHERE queue = ?1 AND seen_at <= ?2 AND name NOT IN
                     (SELECT consumer FROM messages WHERE queue = ?1 AND consumer IS NOT NULL)",
                    params![queue, seen_before],
                )?;
                Ok(removed as u64)
            })
            .await
    }
}

/// The tables that have queues, each with the condition of its index that begins with the queue.
const TABLES: [(&str, &str); 5] = [
    ("messages", "consumer IS NULL"),
    ("messages", "consumer IS NOT NULL"),
    ("delayed", "TRUE"),
    ("dead", "TRUE"),
    ("consumers", "TRUE"),
];

/// Jumps from one queue to the next in each index, however many rows they have.
fn queues(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut queues = BTreeSet::new();
    for (table, restriction) in TABLES {
        let mut next = connection.prepare_cached(&format!(
            "SELECT min(queue) FROM {table} WHERE {restriction} AND queue > ?1"
        ))?;
        let mut last = String::new();
        while let Some(queue) = next.query_row([&last], |row| row.get::<_, Option<String>>(0))? {
            last.clone_from(&queue);
            queues.insert(queue);
        }
    }
    Ok(queues.into_iter().collect())
}

/// Since when the oldest ready message has been ready.
fn ready_since(connection: &Connection, queue: &str) -> rusqlite::Result<Option<Timestamp>> {
    let since = connection
        .prepare_cached(
            "SELECT ready_at FROM messages WHERE queue = ?1 AND consumer IS NULL ORDER BY id LIMIT 1",
        )?
        .query_row([queue], |row| row.get::<_, Option<i64>>(0))
        .optional()?;
    Ok(since.flatten().map(Timestamp::from_micros))
}

fn stats(connection: &mut Connection, queue: &str) -> rusqlite::Result<QueueStats> {
    // One transaction, so the numbers belong together.
    let transaction = connection.transaction()?;
    let (ready, pending) = counts(&transaction, queue)?;
    let rest = transaction
        .prepare_cached(
            "SELECT (SELECT count(*) FROM delayed WHERE queue = ?1), (SELECT count(*) FROM dead WHERE queue = ?1),
                    (SELECT count(*) FROM consumers WHERE queue = ?1)",
        )?
        .query_row([queue], |row| {
            Ok([count(row.get(0)?), count(row.get(1)?), count(row.get(2)?)])
        })?;
    let [delayed, dead, consumers] = rest;
    let age = ready_since(&transaction, queue)?.map(|since| Timestamp::now().since(since));
    Ok(QueueStats {
        size: ready + pending,
        pending,
        delayed,
        dead,
        consumers,
        oldest_ready_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    })
}

fn delayed(
    connection: &Connection,
    queue: &str,
    most: usize,
) -> rusqlite::Result<Vec<DelayedMessage>> {
    let mut statement = connection.prepare_cached(
        "SELECT due, data FROM delayed WHERE queue = ?1 ORDER BY due, id LIMIT ?2",
    )?;
    statement
        .query_map(params![queue, limit(most)], |row| {
            Ok(DelayedMessage {
                due: Timestamp::from_micros(row.get(0)?),
                message: TaskMessage::decode(&row.get::<_, Vec<u8>>(1)?.into()).ok(),
            })
        })?
        .collect()
}

fn consumers(connection: &Connection, queue: &str) -> rusqlite::Result<Vec<Consumer>> {
    let now = Timestamp::now();
    let mut statement = connection.prepare_cached(
        "SELECT c.name, c.seen_at, count(m.id) FROM consumers c
         LEFT JOIN messages m ON m.queue = c.queue AND m.consumer = c.name
         WHERE c.queue = ?1 GROUP BY c.name ORDER BY c.name",
    )?;
    statement
        .query_map([queue], |row| {
            let idle = now.since(Timestamp::from_micros(row.get(1)?));
            Ok(Consumer {
                name: row.get(0)?,
                pending: count(row.get(2)?),
                idle_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
            })
        })?
        .collect()
}
