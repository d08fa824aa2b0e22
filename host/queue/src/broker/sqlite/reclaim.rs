//! Reclaims deliveries whose lease has expired, starting with the one that expired first.
//!
//! Must not judge how often a message may be delivered.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::fetch::{Leased, columns, limit, see, with_room};
use super::lease_clock;
use crate::Timestamp;

static RECLAIM: LazyLock<String> = LazyLock::new(|| {
    let expired = "FROM messages WHERE queue = ?1 AND consumer IS NOT NULL AND lease_until <= ?4
                   ORDER BY lease_until LIMIT ?5";
    format!(
        "UPDATE messages SET consumer = ?2, lease_until = ?3, deliveries = deliveries + 1
         WHERE id IN ({}) RETURNING {}",
        with_room(expired, "?6"),
        columns()
    )
});

/// Leases expired deliveries to `consumer`, up to this many, with up to this many bytes.
pub(super) fn reclaim(
    connection: &Connection,
    queue: &Arc<str>,
    consumer: &str,
    (most, bytes): (usize, usize),
    lease: Duration,
) -> rusqlite::Result<Vec<Leased>> {
    see(connection, queue, consumer, Timestamp::now())?;
    let (now, until) = (lease_clock::now(), lease_clock::after(lease));
    let mut statement = connection.prepare_cached(&RECLAIM)?;
    let (most, bytes) = (limit(most), limit(bytes));
    let parameters = params![queue, consumer, until, now, most, bytes];
    let mut leased: Vec<Leased> = statement
        .query_map(parameters, |row| Leased::read(row, queue))?
        .collect::<Result<_, _>>()?;
    leased.sort_unstable_by_key(Leased::id);
    Ok(leased)
}
