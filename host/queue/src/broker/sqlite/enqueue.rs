//! Adds messages: ready ones at the tail, those with an `eta` in the future among the delayed.
//!
//! Must not know leases.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::changes::Changes;
use super::fault::Fault;
use super::{ids, results};
use crate::{BrokerError, Enqueued, OnDuplicate, TaskMessage, Timestamp};

/// A message as it is stored.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) data: String,
    pub(super) task_id: String,
    /// When it is due, if it is not ready.
    pub(super) due: Option<Timestamp>,
    /// Whether its id is noted.
    pub(super) noted: bool,
}

impl Encoded {
    pub(super) fn new(message: &TaskMessage, now: Timestamp) -> Self {
        Self {
            data: message.encode(),
            task_id: message.id.to_string(),
            due: (message.delay.map(|delay| now.after(delay)))
                .or(message.eta)
                .filter(|due| *due > now),
            noted: message.noted,
        }
    }
}

/// Adds all, or none if they don't fit under `limit`.
pub(super) fn enqueue(
    connection: &Connection,
    queue: &Arc<str>,
    messages: &[Encoded],
    limit: Option<u64>,
    changes: &mut Changes,
) -> Result<(), Fault> {
    check_room(connection, queue, messages.len(), limit)?;
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

/// The same, except for those whose ids are noted and already there. One answer each, in order.
pub(super) fn enqueue_noted(
    connection: &Connection,
    queue: &Arc<str>,
    messages: Vec<Encoded>,
    limit: Option<u64>,
    on_duplicate: OnDuplicate,
    changes: &mut Changes,
) -> Result<Vec<Enqueued>, Fault> {
    let (mut answers, mut first) = (Vec::with_capacity(messages.len()), None);
    let (mut to_add, mut given) = (Vec::new(), HashSet::new());
    for message in messages {
        let id = &message.task_id;
        let is_there = message.noted
            && on_duplicate != OnDuplicate::Run
            && (given.contains(id) || ids::is_there(connection, queue, id)?);
        if message.noted {
            given.insert(id.clone());
        }
        if is_there {
            first.get_or_insert(message.task_id);
            answers.push(Enqueued::Present);
        } else {
            to_add.push(message);
            answers.push(Enqueued::Added);
        }
    }
    if let Some(id) = first.filter(|_| on_duplicate == OnDuplicate::Reject) {
        let (queue, count) = (queue.to_string(), (answers.len() - to_add.len()) as u64);
        return Err(BrokerError::DuplicateId { queue, id, count }.into());
    }
    enqueue(connection, queue, &to_add, limit, changes)?;
    for message in to_add.iter().filter(|message| message.noted) {
        if on_duplicate == OnDuplicate::Run {
            results::delete(connection, &message.task_id)?;
        }
        ids::begin(connection, queue, &message.task_id)?;
    }
    ids::forget(connection, to_add.len())?;
    Ok(answers)
}

/// Adds a message at the queue's tail.
pub(super) fn append(
    connection: &Connection,
    queue: &str,
    data: &[u8],
    task_id: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO messages (queue, data, task_id, ready_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![queue, data, task_id, Timestamp::now().as_micros()])?;
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
    let length = ready + leased + delayed(connection, queue)?;
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

/// How many messages of the queue wait for their time.
fn delayed(connection: &Connection, queue: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM delayed WHERE queue = ?1")?
        .query_row([queue], |row| Ok(count(row.get(0)?)))
}

/// A count as returned by `SQLite`.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
