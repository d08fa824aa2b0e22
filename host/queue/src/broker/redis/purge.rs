//! Emptying a queue, or its dead letters, in steps that each take the server at most a few milliseconds.
//!
//! What is there when a purge begins is removed, even if it moves from one place to another meanwhile. What is added
//! while it runs may be removed or stay. An interrupted purge has removed some of the messages, and nothing else.

use redis::streams::{StreamInfoStreamReply, StreamPendingCountReply};
use redis::{RedisResult, cmd};

use super::RedisBroker;
use super::entry::EntryId;
use super::fault::{is_no_group, is_no_key};
use super::script::{REMOVE_EMPTY, TRIM};
use super::tenants;
use crate::BrokerError;

/// Messages removed in one step.
const STEP: usize = 5000;

/// Leases ended in one step.
const LEASES: usize = 1000;

/// Removes all ready, leased and delayed messages; returns their number.
pub(super) async fn messages(broker: &RedisBroker, queue: &str) -> Result<u64, BrokerError> {
    // Before what is ready, because due messages move there meanwhile, and again after it, because tasks may be retried
    // until their leases are lost.
    let mut removed = delayed(broker, queue).await?;
    removed += if broker.tenant.is_default() {
        ready(broker, queue).await?
    } else {
        tenants::purge_ready(broker, queue).await?
    };
    removed += delayed(broker, queue).await?;
    // No id of a removed message may keep another message out.
    broker
        .connection
        .ask::<u64>(cmd("UNLINK").arg(broker.keys.ids(queue)))
        .await?;
    remove_empty(broker, queue).await?;
    Ok(removed)
}

/// Removes what is ready or leased in the default tenant's stream.
async fn ready(broker: &RedisBroker, queue: &str) -> Result<u64, BrokerError> {
    let stream = broker.keys.stream(queue);
    let Some(last) = last_entry(broker, &stream).await? else {
        return Ok(0);
    };
    let removed = trim(broker, &[&stream], last).await?;
    end_leases(broker, &stream, last).await?;
    Ok(removed)
}

/// Removes all dead letters; returns their number.
pub(super) async fn dead_letters(broker: &RedisBroker, queue: &str) -> Result<u64, BrokerError> {
    let (dead, index) = (broker.keys.dlq(queue), broker.keys.dead_index(queue));
    let Some(last) = last_entry(broker, &dead).await? else {
        return Ok(0);
    };
    let removed = trim(broker, &[&dead, &index], last).await?;
    remove_empty(broker, queue).await?;
    Ok(removed)
}

async fn delayed(broker: &RedisBroker, queue: &str) -> Result<u64, BrokerError> {
    let key = broker.keys.delayed(queue);
    let mut left: usize = broker.connection.ask(cmd("ZCARD").arg(&key)).await?;
    let mut removed = 0;
    while left > 0 {
        let step = left.min(STEP);
        let mut command = cmd("ZREMRANGEBYRANK");
        command.arg(&key).arg(0).arg(step - 1);
        removed += broker.connection.ask::<u64>(&command).await?;
        left -= step;
    }
    Ok(removed)
}

/// The newest entry that the stream has ever had; `None` if there is no stream.
async fn last_entry(broker: &RedisBroker, stream: &str) -> Result<Option<EntryId>, BrokerError> {
    let mut command = cmd("XINFO");
    command.arg("STREAM").arg(stream);
    let info: RedisResult<StreamInfoStreamReply> = broker.connection.query(&command).await;
    match info {
        Ok(info) => Ok(EntryId::parse(&info.last_generated_id)),
        Err(error) if is_no_key(&error) => Ok(None),
        Err(error) => Err(broker.connection.server().broker_error(&error)),
    }
}

/// Removes all entries up to `last`; with the stream's last entry, the other keys are deleted too.
async fn trim(broker: &RedisBroker, keys: &[&str], last: EntryId) -> Result<u64, BrokerError> {
    let mut removed = 0;
    loop {
        let mut command = TRIM.command(keys);
        command.arg(last.next().to_string()).arg(STEP);
        match broker.connection.call::<u64>(&TRIM, &command).await? {
            0 => return Ok(removed),
            step => removed += step,
        }
    }
}

/// Ends all leases of entries up to `last`, which are gone.
async fn end_leases(broker: &RedisBroker, stream: &str, last: EntryId) -> Result<(), BrokerError> {
    loop {
        let mut command = cmd("XPENDING");
        command.arg(stream).arg(&broker.group).arg("-");
        command.arg(last.to_string()).arg(LEASES);
        let page: RedisResult<StreamPendingCountReply> = broker.connection.query(&command).await;
        let page = match page {
            Ok(page) => page.ids,
            Err(error) if is_no_group(&error) => return Ok(()),
            Err(error) => return Err(broker.connection.server().broker_error(&error)),
        };
        if page.is_empty() {
            return Ok(());
        }
        let mut command = cmd("XACK");
        command.arg(stream).arg(&broker.group);
        command.arg(page.iter().map(|lease| &*lease.id).collect::<Vec<_>>());
        broker.connection.ask::<u64>(&command).await?;
    }
}

/// Removes what is left of the queue if it is empty and nobody serves it. It is then no longer listed.
async fn remove_empty(broker: &RedisBroker, queue: &str) -> Result<(), BrokerError> {
    if !broker.tenant.is_default() {
        // A tenant has nothing that outlasts its messages but this.
        let index = broker.keys.dead_index(queue);
        return tenants::remove_empty(broker, queue, &index).await;
    }
    let keys = &broker.keys;
    let (ids, admitted) = (keys.ids(queue), keys.admitted(queue));
    let (index, reclaims) = (keys.dead_index(queue), keys.reclaims(queue));
    let [stream, delayed, dead] = keys.of_queue(queue);
    let command =
        REMOVE_EMPTY.command(&[&stream, &delayed, &dead, &ids, &admitted, &index, &reclaims]);
    broker.connection.call(&REMOVE_EMPTY, &command).await
}
