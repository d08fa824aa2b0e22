//! Dead letters: read, replayed, deleted, trimmed.
//!
//! Must not know why a message was given up on.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::enqueue::append;
use super::fault::Fault;
use super::fetch::limit;
use super::place::{self, Target};
use super::{ids, results, turns};
use crate::replay::replayed;
use crate::{BrokerError, DeadLetter, DeadLetterRange, ReplayOptions, TaskMessage};

const COLUMNS: &str = "id, data, failed_at, error, retry_count, entry, task_id, task_name";

/// A range of the dead letters.
pub(super) fn list(
    connection: &Connection,
    queue: &str,
    range: &DeadLetterRange,
) -> Result<Vec<DeadLetter>, Fault> {
    let (from, order) = if range.newest_first {
        ("id < ?2", "id DESC")
    } else {
        ("id > ?2", "id")
    };
    let after = match &range.after {
        None if range.newest_first => i64::MAX,
        None => 0,
        Some(id) => id.parse::<i64>().map_err(|_| {
            BrokerError::Invalid(format!(
                "{id:?} is not the id of a dead letter: give one that the list shows"
            ))
        })?,
    };
    let sql =
        format!("SELECT {COLUMNS} FROM dead WHERE queue = ?1 AND {from} ORDER BY {order} LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![queue, after, limit(range.count)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One dead letter, by its own id or else its task's (then the newest).
pub(super) fn find(
    connection: &Connection,
    queue: &str,
    id: &str,
) -> rusqlite::Result<Option<DeadLetter>> {
    let own = format!("SELECT {COLUMNS} FROM dead WHERE queue = ?1 AND id = ?2");
    let tasks = format!(
        "SELECT {COLUMNS} FROM dead WHERE queue = ?1 AND task_id = ?2 ORDER BY id DESC LIMIT 1"
    );
    if let Ok(own_id) = id.parse::<i64>() {
        let found = connection
            .prepare_cached(&own)?
            .query_row(params![queue, own_id], read)
            .optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    connection
        .prepare_cached(&tasks)?
        .query_row(params![queue, id], read)
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    let data = Bytes::from(row.get::<_, Vec<u8>>(1)?);
    Ok(DeadLetter {
        id: row.get::<_, i64>(0)?.to_string(),
        original_message: TaskMessage::decode(&data).ok(),
        data: String::from_utf8_lossy(&data).into_owned(),
        failed_at: row.get(2)?,
        error: row.get(3)?,
        retry_count: u32::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        original_stream_id: row.get(5)?,
        task_id: row.get(6)?,
        task_name: row.get(7)?,
    })
}

/// Puts the dead letter's message at the end of its queue; false if there is none with this id.
pub(super) fn replay(
    connection: &Connection,
    target: &Target,
    id: &str,
    options: ReplayOptions,
) -> Result<bool, Fault> {
    let queue = &*target.part;
    let Some(letter) = find(connection, queue, id)? else {
        return Ok(false);
    };
    let data: Vec<u8> = connection
        .prepare_cached("SELECT data FROM dead WHERE queue = ?1 AND id = CAST(?2 AS INTEGER)")?
        .query_row(params![queue, letter.id], |row| row.get(0))?;
    let message = replayed(&target.queue, &letter.id, &data.into(), options)?;
    append(connection, queue, message.encode().as_bytes(), &message.id)?;
    turns::join(connection, &target.queue, &target.tenant)?;
    // Clients that wait for its result from now on get the new one.
    let task = place::of_task(&target.tenant, &message.id);
    results::delete(connection, &task)?;
    if message.noted {
        ids::begin(connection, queue, &message.id)?;
    }
    delete_one(connection, queue, &letter.id)?;
    Ok(true)
}

/// Deletes a dead letter; false if there is none with this id.
pub(super) fn delete(connection: &Connection, queue: &str, id: &str) -> rusqlite::Result<bool> {
    match find(connection, queue, id)? {
        Some(letter) => delete_one(connection, queue, &letter.id),
        None => Ok(false),
    }
}

fn delete_one(connection: &Connection, queue: &str, id: &str) -> rusqlite::Result<bool> {
    let deleted = connection
        .prepare_cached("DELETE FROM dead WHERE queue = ?1 AND id = CAST(?2 AS INTEGER)")?
        .execute(params![queue, id])?;
    Ok(deleted == 1)
}

/// Deletes the oldest dead letters above `most`.
pub(super) fn trim(
    connection: &Connection,
    queue: &str,
    most: Option<u64>,
) -> rusqlite::Result<()> {
    let Some(most) = most else { return Ok(()) };
    connection
        .prepare_cached(
            "DELETE FROM dead WHERE queue = ?1 AND id <=
             (SELECT id FROM dead WHERE queue = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![queue, i64::try_from(most).unwrap_or(i64::MAX)])?;
    Ok(())
}
