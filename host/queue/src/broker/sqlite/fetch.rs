//! Leases ready messages, with equal shares for all queues.
//!
//! Must not wait, nor read what is in a message.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chicory_signature::TenantName;
use rusqlite::{Connection, Row, params};

use super::{lease_clock, place, turns};
use crate::delivery::Stored;
use crate::fairness::share;
use crate::message::{KEPT_BYTES, MAX_ID_BYTES, MAX_STORED_BYTES};
use crate::{Delivery, Lease, Payload, Timestamp};

/// A leased message, its bytes not yet read.
#[derive(Debug)]
pub(super) struct Leased {
    id: i64,
    queue: Arc<str>,
    tenant: TenantName,
    data: Stored,
    task_id: String,
    deliveries: u32,
}

/// Who leases, and how much.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) queues: Vec<Arc<str>>,
    pub(super) consumer: Arc<str>,
    pub(super) limit: usize,
    pub(super) bytes: usize,
    pub(super) lease: Duration,
}

/// The number of the [`columns`].
pub(super) const COLUMNS: usize = 5;

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
    leased.iter().map(Leased::bytes).sum()
}

/// Whether there is anything to lease.
pub(super) fn any_ready(connection: &Connection, queues: &[Arc<str>]) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM messages WHERE queue = ?1 AND consumer IS NULL LIMIT 1")?;
    for queue in queues {
        if statement.exists([queue])? || turns::any_active(connection, queue)? {
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
                match turns::plan(connection, queue, room)? {
                    None => {
                        let own = TenantName::default();
                        lease_from(connection, claim, (queue, &own), room, &mut leased)?;
                    }
                    Some(plan) => lease_by(connection, claim, queue, &plan, &mut leased)?,
                }
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

/// Leases what each tenant gets, in the order of their turns.
fn lease_by(
    connection: &Connection,
    claim: &Claim,
    queue: &Arc<str>,
    plan: &turns::Plan,
    leased: &mut Vec<Leased>,
) -> rusqlite::Result<()> {
    let mut own: Vec<std::vec::IntoIter<Leased>> = Vec::new();
    let mut room = claim.bytes.saturating_sub(bytes_of(leased));
    for (place, tenant) in plan.tenants.iter().enumerate() {
        let turns = plan.turns.iter().filter(|turn| turn.0 == place);
        let most: usize = turns.map(|turn| turn.1).sum();
        let mut taken = Vec::new();
        // The first message is leased even if it has more bytes.
        let is_first = leased.is_empty() && own.iter().all(|taken| taken.len() == 0);
        if most > 0 && (room > 0 || is_first) {
            let claim = Claim {
                bytes: room,
                ..claim.clone()
            };
            lease_from(connection, &claim, (queue, tenant), most, &mut taken)?;
            room = room.saturating_sub(bytes_of(&taken));
        }
        // Where there were too many bytes, more is ready than the plan knows.
        if taken.len() < most {
            turns::join(connection, queue, tenant)?;
        }
        own.push(taken.into_iter());
    }
    for (place, count) in &plan.turns {
        leased.extend(own[*place].by_ref().take(*count));
    }
    Ok(())
}

fn lease_from(
    connection: &Connection,
    claim: &Claim,
    (queue, tenant): (&Arc<str>, &TenantName),
    most: usize,
    leased: &mut Vec<Leased>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&LEASE)?;
    let until = lease_clock::after(claim.lease);
    let from = leased.len();
    let bytes = limit(claim.bytes.saturating_sub(bytes_of(leased)));
    let part = place::part(tenant, queue);
    let parameters = params![part, claim.consumer, until, limit(most), bytes];
    let rows = statement.query_map(parameters, |row| Leased::read(row, queue, tenant.clone()))?;
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
    pub(super) fn read(
        row: &Row<'_>,
        queue: &Arc<str>,
        tenant: TenantName,
    ) -> rusqlite::Result<Self> {
        let (data, size): (Vec<u8>, i64) = (row.get(1)?, row.get(2)?);
        Ok(Self {
            id: row.get(0)?,
            queue: queue.clone(),
            tenant,
            data: Stored::first(data.into(), u64::try_from(size).unwrap_or(0)),
            task_id: row.get(3)?,
            deliveries: u32::try_from(row.get::<_, i64>(4)?.max(1)).unwrap_or(u32::MAX),
        })
    }

    /// How many bytes of its message are in memory.
    pub(super) fn bytes(&self) -> usize {
        self.data.kept()
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
                tenant: self.tenant,
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
