//! What a lease's holder may do short of settling: extend it, or acknowledge in advance.
//!
//! Must not change a message whose lease another consumer holds.

use std::borrow::Cow;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::{ids, lease_clock, place};
use crate::{Lease, Settled};

/// Restarts the leases that are still held.
pub(super) fn extend(
    connection: &Connection,
    leases: &[Lease],
    lease: Duration,
) -> rusqlite::Result<Vec<Settled>> {
    let until = lease_clock::after(lease);
    let mut statement = connection.prepare_cached(
        "UPDATE messages SET lease_until = ?4 WHERE id = ?1 AND queue = ?2 AND consumer = ?3",
    )?;
    let mut extend = |lease: &Lease| match entry(lease) {
        Some(id) => statement.execute(params![id, part_of(lease), lease.consumer, until]),
        None => Ok(0),
    };
    let answer = |lease| Ok(settled(extend(lease)?));
    leases.iter().map(answer).collect()
}

/// Removes the messages whose leases are held.
pub(super) fn acknowledge(
    connection: &Connection,
    leases: &[Lease],
    ttl: Duration,
) -> rusqlite::Result<Vec<Settled>> {
    let acknowledge = |lease: &Lease| {
        let answer = settled(remove(connection, lease)?);
        if let (Settled::Applied, Some(id)) = (answer, &lease.noted_id) {
            // The worker may be gone by the time the task has ended.
            ids::end(connection, &part_of(lease), id, ttl)?;
        }
        Ok(answer)
    };
    leases.iter().map(acknowledge).collect()
}

/// Removes the message if the lease is held; returns the number of messages removed.
pub(super) fn remove(connection: &Connection, lease: &Lease) -> rusqlite::Result<usize> {
    let Some(id) = entry(lease) else {
        return Ok(0);
    };
    connection
        .prepare_cached("DELETE FROM messages WHERE id = ?1 AND queue = ?2 AND consumer = ?3")?
        .execute(params![id, part_of(lease), lease.consumer])
}

/// The tenant's part of the queue.
pub(super) fn part_of(lease: &Lease) -> Cow<'_, str> {
    place::part(&lease.tenant, &lease.queue)
}

/// The entry's id; `None` if another broker assigned it.
fn entry(lease: &Lease) -> Option<i64> {
    lease.entry.parse().ok()
}

/// The answer to a change that should have affected one message.
pub(super) fn settled(changed: usize) -> Settled {
    if changed == 1 {
        Settled::Applied
    } else {
        Settled::LeaseLost
    }
}
