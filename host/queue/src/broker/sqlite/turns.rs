//! Whose turn it is among the tenants that share a queue.
//!
//! The table `turns` has how much each has had; `fairness/shares.rs` decides by it. Must not read messages.

use rusqlite::{Connection, OptionalExtension, params};

use chicory_signature::TenantName;

use super::place;
use crate::fairness::{Member, Turn, shares};

/// What a fetch takes of a queue: its tenants, and their turns by their places among these.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tenants: Vec<TenantName>,
    pub(super) turns: Vec<Turn>,
}

/// Makes a tenant active in a queue, where it has something that is ready, unless it is held. One that comes back goes on where
/// it was, but not before the others.
pub(super) fn join(
    connection: &Connection,
    queue: &str,
    tenant: &TenantName,
) -> rusqlite::Result<()> {
    if tenant.is_default() {
        return Ok(());
    }
    let parameters = params![queue, tenant.as_str()];
    // A held one has a row too, by which it is found when it is let go.
    connection
        .prepare_cached(
            "INSERT INTO turns (queue, tenant, tag, active) VALUES (?1, ?2, 0, 0) ON CONFLICT DO NOTHING",
        )?
        .execute(parameters)?;
    connection
        .prepare_cached(
            "UPDATE turns SET active = 1, tag = max(tag, coalesce((SELECT tag FROM clocks WHERE queue = ?1), 0))
             WHERE queue = ?1 AND tenant = ?2 AND NOT active
                 AND NOT EXISTS (SELECT 1 FROM tenants WHERE name = ?2 AND held)",
        )?
        .execute(parameters)?;
    Ok(())
}

/// Whether any tenant but the default one has something ready.
pub(super) fn any_active(connection: &Connection, queue: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM turns WHERE queue = ?1 AND active LIMIT 1")?
        .exists([queue])
}

/// Shares a fetch of up to `room` messages out. None if no tenant but the default one has something ready.
pub(super) fn plan(
    connection: &Connection,
    queue: &str,
    room: usize,
) -> rusqlite::Result<Option<Plan>> {
    if !any_active(connection, queue)? {
        return Ok(None);
    }
    let clock = clock(connection, queue)?;
    let mut members = active(connection, queue, room)?;
    let own = ready(connection, queue, room)?;
    if own > 0 {
        members.insert(0, default_member(connection, queue, clock, own)?);
    }
    let (tenants, mut members): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let before = members.clone();
    let (turns, now) = shares(&mut members, room, clock);
    for (tenant, (member, before)) in tenants.iter().zip(members.iter().zip(&before)) {
        // Of what is counted up to the room there may be more.
        let is_over = member.ready == 0 && before.ready < room && !tenant.is_default();
        if is_over || member.tag.total_cmp(&before.tag).is_ne() {
            set(connection, queue, tenant, member.tag, !is_over)?;
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO clocks (queue, tag) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET tag = excluded.tag",
        )?
        .execute(params![queue, now])?;
    Ok(Some(Plan { tenants, turns }))
}

fn clock(connection: &Connection, queue: &str) -> rusqlite::Result<f64> {
    let clock = connection
        .prepare_cached("SELECT tag FROM clocks WHERE queue = ?1")?
        .query_row([queue], |row| row.get(0))
        .optional()?;
    Ok(clock.unwrap_or_default())
}

/// The active tenants with the lowest tags: more than there is room for can't have a turn.
fn active(
    connection: &Connection,
    queue: &str,
    room: usize,
) -> rusqlite::Result<Vec<(TenantName, Member)>> {
    let mut statement = connection.prepare_cached(
        "SELECT turns.tenant, turns.tag, coalesce(tenants.weight, 1)
         FROM turns LEFT JOIN tenants ON tenants.name = turns.tenant
         WHERE turns.queue = ?1 AND turns.active ORDER BY turns.tag LIMIT ?2",
    )?;
    let rows = statement.query_map(params![queue, count(room)], |row| {
        let name: String = row.get(0)?;
        Ok((name, row.get::<_, f64>(1)?, row.get::<_, u32>(2)?))
    })?;
    let mut members = Vec::new();
    for row in rows {
        let (name, tag, weight) = row?;
        // Only `join` writes names.
        let tenant: TenantName = name.parse().unwrap_or_default();
        let ready = ready(connection, &place::part(&tenant, queue), room)?;
        members.push((tenant, Member { tag, weight, ready }));
    }
    Ok(members)
}

fn default_member(
    connection: &Connection,
    queue: &str,
    clock: f64,
    ready: usize,
) -> rusqlite::Result<(TenantName, Member)> {
    let tenant = TenantName::default();
    let (tag, weight) = connection
        .prepare_cached(
            "SELECT coalesce((SELECT tag FROM turns WHERE queue = ?1 AND tenant = ?2), 0),
                    coalesce((SELECT weight FROM tenants WHERE name = ?2), 1)",
        )?
        .query_row(params![queue, tenant.as_str()], |row| {
            Ok((row.get::<_, f64>(0)?, row.get::<_, u32>(1)?))
        })?;
    let tag = tag.max(clock);
    Ok((tenant, Member { tag, weight, ready }))
}

/// How many messages of a part are ready, counted up to `most`.
fn ready(connection: &Connection, part: &str, most: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM messages WHERE queue = ?1 AND consumer IS NULL LIMIT ?2)",
        )?
        .query_row(params![part, count(most)], |row| {
            Ok(usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0))
        })
}

/// The default tenant has its row for the tag only: it is never active, so that a queue without other tenants has none that is.
fn set(
    connection: &Connection,
    queue: &str,
    tenant: &TenantName,
    tag: f64,
    active: bool,
) -> rusqlite::Result<()> {
    let active = active && !tenant.is_default();
    connection
        .prepare_cached(
            "INSERT INTO turns (queue, tenant, tag, active) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET tag = excluded.tag, active = excluded.active",
        )?
        .execute(params![queue, tenant.as_str(), tag, active])?;
    Ok(())
}

/// A count as `SQLite` takes it.
fn count(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// Holds a tenant's messages in all queues, or lets them go.
pub(super) fn hold(
    connection: &Connection,
    tenant: &TenantName,
    held: bool,
) -> rusqlite::Result<()> {
    if held {
        connection
            .prepare_cached("UPDATE turns SET active = 0 WHERE tenant = ?1 AND active")?
            .execute([tenant.as_str()])?;
        return Ok(());
    }
    let queues: Vec<String> = connection
        .prepare_cached("SELECT queue FROM turns WHERE tenant = ?1 AND NOT active")?
        .query_map([tenant.as_str()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for queue in queues {
        if ready(connection, &place::part(tenant, &queue), 1)? > 0 {
            join(connection, &queue, tenant)?;
        }
    }
    Ok(())
}
