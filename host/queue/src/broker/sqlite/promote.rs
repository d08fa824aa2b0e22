//! Makes due messages ready, in the order of their times.
//!
//! Must not know why a message was delayed.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::fetch::limit;
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

/// When the next message of any of these queues is due.
pub(super) fn next_of(
    connection: &Connection,
    queues: &[Arc<str>],
) -> rusqlite::Result<Option<Timestamp>> {
    let mut next = None;
    for queue in queues {
        next = next.into_iter().chain(next_due(connection, queue)?).min();
    }
    Ok(next)
}

/// When the queue's next message is due.
pub(super) fn next_due(
    connection: &Connection,
    queue: &str,
) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT min(due) FROM delayed WHERE queue = ?1")?
        .query_row([queue], |row| row.get::<_, Option<i64>>(0))
        .map(|due| due.map(Timestamp::from_micros))
}
