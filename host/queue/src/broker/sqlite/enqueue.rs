//! Adds messages: ready ones at the tail, those with an `eta` ahead among the delayed.
//!
//! Must not know leases.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::changes::Changes;
use super::fault::Fault;
use crate::{BrokerError, TaskMessage, Timestamp};

/// A message as it is stored.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) data: String,
    pub(super) task_id: String,
    /// When it is due, if it is not ready.
    pub(super) due: Option<Timestamp>,
}

impl Encoded {
    pub(super) fn new(message: &TaskMessage, now: Timestamp) -> Self {
        Self {
            data: message.encode(),
            task_id: message.id.to_string(),
            due: message.eta.filter(|eta| *eta > now),
        }
    }
}

/// Adds all, or none where the ready ones don't fit under `limit`.
pub(super) fn enqueue(
    connection: &Connection,
    queue: &Arc<str>,
    messages: &[Encoded],
    limit: Option<u64>,
    changes: &mut Changes,
) -> Result<(), Fault> {
    let ready = messages.iter().filter(|message| message.due.is_none());
    check_room(connection, queue, ready.count(), limit)?;
    for message in messages {
        let (data, task_id) = (message.data.as_bytes(), message.task_id.as_str());
        match message.due {
            None => {
                append(connection, queue, data, task_id)?;
                changes.ready = true;
            }
            Some(due) => delay(connection, queue, data, task_id, due, changes)?,
        }
    }
    Ok(())
}

/// Adds a message at the queue's tail.
pub(super) fn append(
    connection: &Connection,
    queue: &str,
    data: &[u8],
    task_id: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO messages (queue, data, task_id) VALUES (?1, ?2, ?3)")?
        .execute(params![queue, data, task_id])?;
    Ok(())
}

/// Adds a message that waits for its time.
pub(super) fn delay(
    connection: &Connection,
    queue: &Arc<str>,
    data: &[u8],
    task_id: &str,
    due: Timestamp,
    changes: &mut Changes,
) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT INTO delayed (queue, due, data, task_id) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![queue, due.as_micros(), data, task_id])?;
    changes.delayed(queue, due);
    Ok(())
}

fn check_room(
    connection: &Connection,
    queue: &str,
    adding: usize,
    limit: Option<u64>,
) -> Result<(), Fault> {
    let Some(limit) = limit.filter(|_| adding > 0) else {
        return Ok(());
    };
    let (ready, leased) = counts(connection, queue)?;
    let length = ready + leased;
    if length.saturating_add(adding as u64) > limit {
        let queue = queue.to_owned();
        return Err(BrokerError::QueueFull {
            queue,
            length,
            limit,
        }
        .into());
    }
    Ok(())
}

/// How many messages of the queue are ready, and how many are leased.
pub(super) fn counts(connection: &Connection, queue: &str) -> rusqlite::Result<(u64, u64)> {
    connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM messages WHERE queue = ?1 AND consumer IS NULL),
                    (SELECT count(*) FROM messages WHERE queue = ?1 AND consumer IS NOT NULL)",
        )?
        .query_row([queue], |row| Ok((count(row.get(0)?), count(row.get(1)?))))
}

/// A count as `SQLite` gives it.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
