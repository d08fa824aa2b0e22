//! Noted ids: which messages a queue has, or had until recently.
//!
//! Must not know what is done about a message that is already there.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::place::{self, Target};
use crate::Timestamp;
use crate::results::purged_body;

/// Whether a message with this id is in the queue, ended recently, or has a result of its own.
pub(super) fn is_there(
    connection: &Connection,
    target: &Target,
    id: &str,
) -> rusqlite::Result<bool> {
    let task = place::of_task(&target.tenant, id);
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM ids WHERE queue = ?1 AND id = ?2 AND (expires IS NULL OR expires > ?3))
                 OR EXISTS (SELECT 1 FROM results WHERE task_id = ?5 AND body IS NOT NULL
                            AND (body_expires IS NULL OR body_expires > ?3) AND instr(body, ?4) = 0)",
        )?
        .query_row(params![target.part, id, now(), purged_body(), task], |row| row.get(0))
}

/// Notes that a message with this id is queued.
pub(super) fn begin(connection: &Connection, queue: &str, id: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ids (queue, id) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET expires = NULL",
        )?
        .execute([queue, id])?;
    Ok(())
}

/// Notes that the message with this id has ended. It is remembered as long as its result.
pub(super) fn end(
    connection: &Connection,
    queue: &str,
    id: &str,
    ttl: Duration,
) -> rusqlite::Result<()> {
    if ttl.is_zero() {
        return Ok(());
    }
    let expires = Timestamp::now().after(ttl).as_micros();
    connection
        .prepare_cached("UPDATE ids SET expires = ?3 WHERE queue = ?1 AND id = ?2")?
        .execute(params![queue, id, expires])?;
    Ok(())
}

/// Forgets ids whose time is over: more than were added, so they never pile up.
pub(super) fn forget(connection: &Connection, added: usize) -> rusqlite::Result<()> {
    let most = i64::try_from(added * 2 + 8).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM ids WHERE (queue, id) IN
             (SELECT queue, id FROM ids WHERE expires <= ?1 ORDER BY expires LIMIT ?2)",
        )?
        .execute(params![now(), most])?;
    Ok(())
}

/// Forgets all ids of a queue that is emptied, so none keeps another message out.
pub(super) fn clear(connection: &Connection, queue: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM ids WHERE queue = ?1")?
        .execute([queue])?;
    Ok(())
}

fn now() -> i64 {
    Timestamp::now().as_micros()
}
