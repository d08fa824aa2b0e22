//! Adds messages: ready ones at the tail, those with an `eta` in the future among the delayed.
//!
//! Must not know leases.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::changes::Changes;
use super::fault::Fault;
use super::place::{self, Target};
use super::{ids, results, tenants, turns};
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

/// Adds all, or none if they don't fit under the limit, or the tenant may not.
pub(super) fn enqueue(
    connection: &Connection,
    target: &Target,
    messages: &[Encoded],
    changes: &mut Changes,
) -> Result<(), Fault> {
    check_room(connection, target, messages.len())?;
    for message in messages {
        let (data, task_id) = (message.data.as_bytes(), message.task_id.as_str());
        match message.due {
            None => {
                append(connection, &target.part, data, task_id)?;
                changes.ready = true;
            }
            Some(due) => {
                delay(connection, &target.part, data, task_id, due)?;
                changes.delayed(&target.queue, due);
            }
        }
    }
    Ok(turns::join(connection, &target.queue, &target.tenant)?)
}

/// The same, except for those whose ids are noted and already there. One answer each, in order.
pub(super) fn enqueue_noted(
    connection: &Connection,
    target: &Target,
    messages: Vec<Encoded>,
    on_duplicate: OnDuplicate,
    changes: &mut Changes,
) -> Result<Vec<Enqueued>, Fault> {
    let queue = &target.part;
    let (mut answers, mut first) = (Vec::with_capacity(messages.len()), None);
    let (mut to_add, mut given) = (Vec::new(), HashSet::new());
    for message in messages {
        let id = &message.task_id;
        let is_there = message.noted
            && on_duplicate != OnDuplicate::Run
            && (given.contains(id) || ids::is_there(connection, target, id)?);
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
        let (queue, count) = (
            target.queue.to_string(),
            (answers.len() - to_add.len()) as u64,
        );
        return Err(BrokerError::DuplicateId { queue, id, count }.into());
    }
    enqueue(connection, target, &to_add, changes)?;
    for message in to_add.iter().filter(|message| message.noted) {
        if on_duplicate == OnDuplicate::Run {
            let task = place::of_task(&target.tenant, &message.task_id);
            results::delete(connection, &task)?;
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
    queue: &str,
    data: &[u8],
    task_id: &str,
    due: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO delayed (queue, due, data, task_id) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![queue, due.as_micros(), data, task_id])?;
    Ok(())
}

fn check_room(connection: &Connection, target: &Target, adding: usize) -> Result<(), Fault> {
    let own = tenants::limit_of(connection, &target.tenant)?;
    let limits = own.into_iter().chain(target.limit);
    let Some(limit) = limits.min().filter(|_| adding > 0) else {
        return Ok(());
    };
    let (ready, leased) = counts(connection, &target.part)?;
    let length = ready + leased + delayed(connection, &target.part)?;
    if length.saturating_add(adding as u64) > limit {
        let (queue, tenant) = (target.queue.to_string(), target.tenant.clone());
        return Err(if tenant.is_default() {
            BrokerError::QueueFull {
                queue,
                length,
                limit,
            }
        } else {
            BrokerError::TenantQueueFull {
                queue,
                tenant,
                length,
                limit,
            }
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
