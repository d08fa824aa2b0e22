//! Emptying a queue, or its dead letters, in short transactions, so no other process waits long.
//!
//! What is there when a purge begins is removed, even if it moves from one place to another meanwhile. What is added
//! while it runs may be removed or stay.

use rusqlite::params;

use super::{Sqlite, ids};
use crate::BrokerError;

/// Rows removed in one transaction.
const STEP: usize = 5_000;

/// Removes all ready, leased and delayed messages; returns their number.
pub(super) async fn messages(sqlite: &Sqlite, queue: &str) -> Result<u64, BrokerError> {
    // The delayed ones again at the end, because tasks may be retried until their leases are lost.
    let mut removed = empty(sqlite, "delayed", queue).await?;
    removed += empty(sqlite, "messages", queue).await?;
    removed += empty(sqlite, "delayed", queue).await?;
    let queue = queue.to_owned();
    let clearing = sqlite
        .writer
        .write(&sqlite.wakes, move |file, _| Ok(ids::clear(file, &queue)?));
    clearing.await?;
    Ok(removed)
}

/// Removes all dead letters; returns their number.
pub(super) async fn dead_letters(sqlite: &Sqlite, queue: &str) -> Result<u64, BrokerError> {
    empty(sqlite, "dead", queue).await
}

/// Removes the queue's rows from a table, up to the row that is currently the last.
async fn empty(sqlite: &Sqlite, table: &'static str, queue: &str) -> Result<u64, BrokerError> {
    let last: i64 = {
        let queue = queue.to_owned();
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table} WHERE queue = ?1");
        let asked = sqlite.reader.run(move |file| {
            Ok(file
                .prepare_cached(&sql)?
                .query_row([queue], |row| row.get(0))?)
        });
        asked.await?
    };
    let mut removed = 0;
    loop {
        let queue = queue.to_owned();
        let sql = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE queue = ?1 AND id <= ?2 LIMIT {STEP})"
        );
        let step = sqlite.writer.write(&sqlite.wakes, move |file, _| {
            Ok(file.prepare_cached(&sql)?.execute(params![queue, last])?)
        });
        let step = step.await?;
        removed += step as u64;
        if step < STEP {
            return Ok(removed);
        }
    }
}
