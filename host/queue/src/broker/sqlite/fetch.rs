//! Leases ready messages, with equal shares for all queues.
//!
//! Must not wait, nor read what is in a message.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::lease_clock;
use crate::delivery::Stored;
use crate::fairness::share;
use crate::message::{KEPT_BYTES, MAX_ID_BYTES, MAX_STORED_BYTES};
use crate::{Delivery, Lease, Payload, Timestamp};

/// A leased message, its bytes not yet read.
#[derive(Debug)]
pub(super) struct Leased {
    id: i64,
    queue: Arc<str>,
    data: Stored,
    task_id: String,
    deliveries: u32,
}

/// Who leases, and how much.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) queues: Vec<Arc<str>>,
    pub(super) consumer: Arc<str>,
    pub(super) limit: usize,
    pub(super) bytes: usize,
    pub(super) lease: Duration,
}

/// The columns of a leased message. Of one that is too large, only the beginning is read.
pub(super) fn columns() -> String {
    format!(
        "id, iif(length(data) > {MAX_STORED_BYTES}, substr(data, 1, {KEPT_BYTES}), data), length(data),
         substr(task_id, 1, {MAX_ID_BYTES}), deliveries"
    )
}

/// The ids of those of these message rows, in their order, that fit into `?bytes`: the first, and all with fewer bytes
/// before them.
pub(super) fn with_room(rows: &str, bytes: &str) -> String {
    format!(
        "SELECT id FROM (SELECT id, sum(size) OVER (ROWS UNBOUNDED PRECEDING) - size AS before
            FROM (SELECT id, iif(length(data) > {MAX_STORED_BYTES}, {KEPT_BYTES}, length(data)) AS size {rows}))
         WHERE before = 0 OR before < {bytes}"
    )
}

/// How many bytes of their messages are in memory.
fn bytes_of(leased: &[Leased]) -> usize {
    leased.iter().map(|message| message.data.kept()).sum()
}

/// Whether there is anything to lease.
pub(super) fn any_ready(connection: &Connection, queues: &[Arc<str>]) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM messages WHERE queue = ?1 AND consumer IS NULL LIMIT 1")?;
    for queue in queues {
        if statement.exists([queue])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Leases up to the limit: first an equal share of each queue, then whatever else is there, starting with the first
/// queue. The caller rotates them.
pub(super) fn lease(connection: &Connection, claim: &Claim) -> rusqlite::Result<Vec<Leased>> {
    let now = Timestamp::now();
    let mut leased = Vec::new();
    for queue in &claim.queues {
        see(connection, queue, &claim.consumer, now)?;
    }
    let share = share(claim.limit, claim.queues.len());
    for most in [share, claim.limit] {
        for queue in &claim.queues {
            let room = most.min(claim.limit - leased.len());
            if room > 0 && (leased.is_empty() || bytes_of(&leased) < claim.bytes) {
                lease_from(connection, claim, queue, room, &mut leased)?;
            }
        }
        if claim.queues.len() <= 1 {
            break;
        }
    }
    Ok(leased)
}

static LEASE: LazyLock<String> = LazyLock::new(|| {
    let ready = "FROM messages WHERE queue = ?1 AND consumer IS NULL ORDER BY id LIMIT ?4";
    format!(
        "UPDATE messages SET consumer = ?2, lease_until = ?3, deliveries = deliveries + 1
         WHERE id IN ({}) RETURNING {}",
        with_room(ready, "?5"),
        columns()
    )
});

fn lease_from(
    connection: &Connection,
    claim: &Claim,
    queue: &Arc<str>,
    most: usize,
    leased: &mut Vec<Leased>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&LEASE)?;
    let until = lease_clock::after(claim.lease);
    let from = leased.len();
    let bytes = limit(claim.bytes.saturating_sub(bytes_of(leased)));
    let parameters = params![queue, claim.consumer, until, limit(most), bytes];
    let rows = statement.query_map(parameters, |row| Leased::read(row, queue))?;
    for row in rows {
        leased.push(row?);
    }
    // RETURNING guarantees no order.
    leased[from..].sort_unstable_by_key(|message| message.id);
    Ok(())
}

/// Notes that the consumer asked for messages.
pub(super) fn see(
    connection: &Connection,
    queue: &str,
    consumer: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO consumers (queue, name, seen_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
        )?
        .execute(params![queue, consumer, now.as_micros()])?;
    Ok(())
}

/// A limit in the form that `SQLite` takes.
pub(super) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

impl Leased {
    /// From the [`columns`].
    pub(super) fn read(row: &Row<'_>, queue: &Arc<str>) -> rusqlite::Result<Self> {
        let (data, size): (Vec<u8>, i64) = (row.get(1)?, row.get(2)?);
        Ok(Self {
            id: row.get(0)?,
            queue: queue.clone(),
            data: Stored::first(data.into(), u64::try_from(size).unwrap_or(0)),
            task_id: row.get(3)?,
            deliveries: u32::try_from(row.get::<_, i64>(4)?.max(1)).unwrap_or(u32::MAX),
        })
    }

    /// The entry's id.
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// Reads the message.
    pub(super) fn deliver(self, consumer: &Arc<str>) -> Delivery {
        let (payload, raw) = self.data.read();
        let noted_id = match &payload {
            Payload::Message(message) if message.noted => Some(message.id.clone()),
            _ => None,
        };
        Delivery {
            lease: Lease {
                queue: self.queue,
                entry: self.id.to_string().into(),
                consumer: consumer.clone(),
                acknowledged: false,
                reclaims: None,
                noted_id,
            },
            payload,
            raw,
            task_id: self.task_id.into(),
            deliveries: self.deliveries,
        }
    }
}
