//! Leases ready messages, with equal shares for all queues.
//!
//! Must not wait, nor read what is in a message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use crate::fairness::share;
use crate::{Delivery, Lease, Payload, TaskMessage, Timestamp};

/// A leased message, its bytes not yet read.
#[derive(Debug)]
pub(super) struct Leased {
    id: i64,
    queue: Arc<str>,
    data: Vec<u8>,
    task_id: String,
    deliveries: u32,
}

/// Who leases, and how much.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) queues: Vec<Arc<str>>,
    pub(super) consumer: Arc<str>,
    pub(super) limit: usize,
    pub(super) lease: Duration,
}

/// Whether there is anything to lease.
pub(super) fn any_ready(connection: &Connection, queues: &[Arc<str>]) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM messages WHERE queue = ?1 AND consumer IS NULL LIMIT 1")?;
    for queue in queues {
        if statement.exists([queue])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Leases up to the limit: first an equal share of each queue, then whatever is there, beginning
/// with the first queue. The caller rotates them.
pub(super) fn lease(connection: &Connection, claim: &Claim) -> rusqlite::Result<Vec<Leased>> {
    let now = Timestamp::now();
    let mut leased = Vec::new();
    for queue in &claim.queues {
        see(connection, queue, &claim.consumer, now)?;
    }
    let share = share(claim.limit, claim.queues.len());
    for most in [share, claim.limit] {
        for queue in &claim.queues {
            let room = most.min(claim.limit - leased.len());
            if room > 0 {
                lease_from(connection, claim, queue, room, now, &mut leased)?;
            }
        }
        if claim.queues.len() <= 1 {
            break;
        }
    }
    Ok(leased)
}

fn lease_from(
    connection: &Connection,
    claim: &Claim,
    queue: &Arc<str>,
    most: usize,
    now: Timestamp,
    leased: &mut Vec<Leased>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE messages SET consumer = ?2, lease_until = ?3, deliveries = deliveries + 1
         WHERE id IN (SELECT id FROM messages WHERE queue = ?1 AND consumer IS NULL ORDER BY id LIMIT ?4)
         RETURNING id, data, task_id, deliveries",
    )?;
    let until = now.after(claim.lease).as_micros();
    let from = leased.len();
    let rows = statement.query_map(params![queue, claim.consumer, until, limit(most)], |row| {
        Leased::read(row, queue)
    })?;
    for row in rows {
        leased.push(row?);
    }
    // RETURNING promises no order.
    leased[from..].sort_unstable_by_key(|message| message.id);
    Ok(())
}

/// Notes that the consumer asked for something.
pub(super) fn see(
    connection: &Connection,
    queue: &str,
    consumer: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO consumers (queue, name, seen_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
        )?
        .execute(params![queue, consumer, now.as_micros()])?;
    Ok(())
}

/// A limit as `SQLite` takes it.
pub(super) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

impl Leased {
    /// From the columns id, data, `task_id`, deliveries.
    pub(super) fn read(row: &Row<'_>, queue: &Arc<str>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            queue: queue.clone(),
            data: row.get(1)?,
            task_id: row.get(2)?,
            deliveries: row.get(3)?,
        })
    }

    /// The entry's id.
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// Reads the message.
    pub(super) fn deliver(self, consumer: &Arc<str>) -> Delivery {
        let raw = Bytes::from(self.data);
        Delivery {
            lease: Lease {
                queue: self.queue,
                entry: self.id.to_string().into(),
                consumer: consumer.clone(),
                acknowledged: false,
                reclaims: None,
            },
            payload: match TaskMessage::decode(&raw) {
                Ok(message) => Payload::Message(message),
                Err(error) => Payload::Unreadable(error),
            },
            raw,
            task_id: self.task_id,
            deliveries: self.deliveries,
        }
    }
}
