//! Makes due messages ready, in the order of their times.
//!
//! Must not know why a message was delayed.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::fetch::limit;
use super::{place, turns};
use crate::Timestamp;

/// Moves up to `most` messages due at `now`; returns how many.
pub(super) fn promote(
    connection: &Connection,
    queue: &str,
    most: usize,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let due = params![queue, now.as_micros(), limit(most)];
    let moved = connection
        .prepare_cached(
            "INSERT INTO messages (queue, data, task_id, ready_at)
             SELECT queue, data, task_id, ?4 FROM delayed WHERE queue = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3",
        )?
        .execute(params![queue, now.as_micros(), limit(most), Timestamp::now().as_micros()])?;
    connection
        .prepare_cached(
            "DELETE FROM delayed WHERE id IN
             (SELECT id FROM delayed WHERE queue = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3)",
        )?
        .execute(due)?;
    Ok(moved)
}

/// The same for all tenants of these queues.
pub(super) fn promote_of_tenants(
    connection: &Connection,
    queues: &[Arc<str>],
    most: usize,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let due: Vec<String> = connection
        .prepare_cached(
            "SELECT DISTINCT queue FROM (SELECT queue FROM delayed
             WHERE instr(queue, char(1)) > 0 AND due <= ?1 ORDER BY due)",
        )?
        .query_map([now.as_micros()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut moved = 0;
    for part in due {
        let (queue, tenant) = place::owner(&part);
        if moved < most && queues.iter().any(|wanted| **wanted == *queue) {
            moved += promote(connection, &part, most - moved, now)?;
            turns::join(connection, queue, &tenant)?;
        }
    }
    Ok(moved)
}

/// When the next message of any of these queues is due.
pub(super) fn next_of(
    connection: &Connection,
    queues: &[Arc<str>],
) -> rusqlite::Result<Option<Timestamp>> {
    let mut next = None;
    for queue in queues {
        next = next.into_iter().chain(next_due(connection, queue)?).min();
    }
    Ok(next
        .into_iter()
        .chain(next_of_tenants(connection, queues)?)
        .min())
}

/// When the next message of any tenant of these queues is due.
fn next_of_tenants(
    connection: &Connection,
    queues: &[Arc<str>],
) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached(
        "SELECT queue, due FROM delayed WHERE instr(queue, char(1)) > 0 ORDER BY due",
    )?;
    let mut rows = statement.query([])?;
    // Usually the first: a process serves the queues of its file.
    while let Some(row) = rows.next()? {
        let part: String = row.get(0)?;
        let (queue, _) = place::owner(&part);
        if queues.iter().any(|wanted| **wanted == *queue) {
            return Ok(Some(Timestamp::from_micros(row.get(1)?)));
        }
    }
    Ok(None)
}

/// When the next message of the queue is due, of any tenant.
pub(super) fn next_of_queue(
    connection: &Connection,
    queue: &Arc<str>,
) -> rusqlite::Result<Option<Timestamp>> {
    next_of(connection, std::slice::from_ref(queue))
}

/// When the queue's next message is due.
fn next_due(connection: &Connection, queue: &str) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT min(due) FROM delayed WHERE queue = ?1")?
        .query_row([queue], |row| row.get::<_, Option<i64>>(0))
        .map(|due| due.map(Timestamp::from_micros))
}
