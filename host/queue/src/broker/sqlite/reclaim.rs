//! Reclaims deliveries whose lease has expired, starting with the one that expired first.
//!
//! Must not judge how often a message may be delivered.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::fetch::{COLUMNS, Leased, columns, limit, see, with_room};
use super::{lease_clock, place};
use crate::Timestamp;

/// Leases the expired ones of these messages.
fn statement(which: &str) -> String {
    let expired = format!(
        "FROM messages WHERE {which} AND consumer IS NOT NULL AND lease_until <= ?3 ORDER BY lease_until LIMIT ?4"
    );
    format!(
        "UPDATE messages SET consumer = ?1, lease_until = ?2, deliveries = deliveries + 1
         WHERE id IN ({}) RETURNING {}, queue",
        with_room(&expired, "?5"),
        columns()
    )
}

static OWN: LazyLock<String> = LazyLock::new(|| statement("queue = ?6"));
static OF_TENANTS: LazyLock<String> = LazyLock::new(|| statement("queue > ?6 AND queue < ?7"));

/// Leases expired deliveries to `consumer`, up to this many, with up to this many bytes.
pub(super) fn reclaim(
    connection: &Connection,
    queue: &Arc<str>,
    consumer: &str,
    (most, bytes): (usize, usize),
    lease: Duration,
) -> rusqlite::Result<Vec<Leased>> {
    see(connection, queue, consumer, Timestamp::now())?;
    let mut leased = Vec::new();
    let (now, until) = (lease_clock::now(), lease_clock::after(lease));
    let (first, last) = (place::first(queue), place::last(queue));
    for sql in [&*OWN, &*OF_TENANTS] {
        let taken: usize = leased.iter().map(Leased::bytes).sum();
        let (most, bytes) = (most - leased.len(), bytes.saturating_sub(taken));
        if most == 0 || (bytes == 0 && !leased.is_empty()) {
            break;
        }
        let (most, bytes) = (limit(most), limit(bytes));
        let own = params![consumer, until, now, most, bytes, queue];
        let of_tenants = params![consumer, until, now, most, bytes, first, last];
        let parameters = if sql == &*OWN { own } else { of_tenants };
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, |row| {
            let part: String = row.get(COLUMNS)?;
            Leased::read(row, queue, place::owner(&part).1)
        })?;
        let mut found: Vec<Leased> = rows.collect::<Result<_, _>>()?;
        found.sort_unstable_by_key(Leased::id);
        leased.extend(found);
    }
    Ok(leased)
}
