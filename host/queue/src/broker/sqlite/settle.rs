//! Applies settlements whose leases are held, each with its result, all in one transaction.
//!
//! Must not decide: the settlement says what to do.

use std::borrow::Cow;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::changes::Changes;
use super::enqueue::{append, delay};
use super::extend::{part_of, remove, settled};
use super::fault::Fault;
use super::{dead, ids, results, turns};
use crate::{SettleRequest, Settled, Settlement, SqliteConfig};

/// Settles the batch; one answer each, in order.
pub(super) fn settle(
    connection: &Connection,
    batch: &[SettleRequest<'_>],
    config: &SqliteConfig,
    changes: &mut Changes,
) -> Result<Vec<Settled>, Fault> {
    let mut answers = Vec::with_capacity(batch.len());
    let mut given_up: Vec<Cow<'_, str>> = Vec::new();
    for item in batch {
        let answer = if item.lease.acknowledged {
            Settled::Applied
        } else {
            settled(remove(connection, &item.lease)?)
        };
        if answer == Settled::Applied {
            apply(connection, item, changes)?;
            if let Some(record) = &item.record {
                results::put(connection, record, config.result_ttl, changes)?;
            }
            note_end(connection, item, config.result_ttl)?;
            let queue = part_of(&item.lease);
            if matches!(&*item.settlement, Settlement::DeadLetter { .. })
                && !given_up.contains(&queue)
            {
                given_up.push(queue);
            }
        }
        answers.push(answer);
    }
    for queue in given_up {
        dead::trim(connection, &queue, config.dlq_max_length)?;
    }
    results::expire(connection, batch.len())?;
    Ok(answers)
}

/// Notes that a message with a noted id has ended.
fn note_end(
    connection: &Connection,
    item: &SettleRequest<'_>,
    ttl: Duration,
) -> rusqlite::Result<()> {
    let ends = matches!(
        &*item.settlement,
        Settlement::Complete | Settlement::DeadLetter { .. }
    );
    match item.lease.noted_id.as_deref().filter(|_| ends) {
        Some(id) => {
            ids::end(connection, &part_of(&item.lease), id, ttl)?;
            ids::forget(connection, 1)
        }
        None => Ok(()),
    }
}

/// What is done once the message is removed.
fn apply(
    connection: &Connection,
    item: &SettleRequest<'_>,
    changes: &mut Changes,
) -> Result<(), Fault> {
    let queue = &part_of(&item.lease);
    match &*item.settlement {
        Settlement::Complete => (),
        Settlement::Retry { at, message } => {
            let data = message.encode();
            delay(connection, queue, data.as_bytes(), &message.id, *at)?;
            changes.delayed(&item.lease.queue, *at);
        }
        Settlement::Release => {
            append(connection, queue, &item.raw, &item.task_id)?;
            turns::join(connection, &item.lease.queue, &item.lease.tenant)?;
            changes.ready = true;
        }
        Settlement::DeadLetter { error, failed_at } => {
            connection
                .prepare_cached(
                    "INSERT INTO dead (queue, data, failed_at, error, retry_count, entry, task_id, task_name)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    queue,
                    &item.raw[..],
                    failed_at.to_string(),
                    error,
                    item.retries,
                    item.lease.entry.as_str(),
                    item.task_id,
                    item.task_name,
                ])?;
        }
    }
    Ok(())
}
