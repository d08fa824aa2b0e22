//! Leasing ready messages, by blocking reads on connections of their own.
//!
//! A read's COUNT applies to each stream. To never lease more than was asked for, one read covers at most as many
//! queues as deliveries are wanted; the other queues get their turn in the next reads. Only a read that waits covers
//! all queues, since it ends with the first message.
//! [`Turns`] knows which of many queues are worth a long turn.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use tokio::time::Instant;

use super::RedisBroker;
use super::admit;
use super::fault::spoils_connection;
use super::give_back::take_again;
use super::read::Read;
use crate::fairness::{Backlog, Rotation, share, width};
use crate::{BrokerError, Delivery, FetchRequest};

/// How often to check queues whose servers don't answer.
const LOOK: Duration = Duration::from_millis(100);

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    rotation: Rotation,
    backlog: Backlog,
}

pub(super) async fn fetch(
    broker: &RedisBroker,
    request: FetchRequest<'_>,
) -> Result<Vec<Delivery>, BrokerError> {
    if request.queues.is_empty() || request.limit == 0 {
        return Ok(Vec::new());
    }
    let again = take_again(broker, &request).await?;
    if !again.is_empty() {
        return Ok(again);
    }
    let shared = broker.shared_queues.among(request.queues);
    if !shared.is_empty() {
        let deliveries = admit::fetch(broker, &request, &shared).await?;
        if !deliveries.is_empty() {
            return Ok(beside(broker, &request, &shared, deliveries).await);
        }
    }
    let fetched = fetch_with(broker, &request).await;
    if let Ok(deliveries) = &fetched {
        admit::note(broker, deliveries).await;
    }
    fetched.map_err(|error| {
        // The connection is already dropped, and so are the idle ones, which broke with it.
        if spoils_connection(&error) {
            broker.readers.close_idle();
        }
        broker.connection.server().broker_error(&error)
    })
}

/// Adds what the other queues have, as far as there is room, to what was fetched from those that tenants share.
async fn beside(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    shared: &[Arc<str>],
    mut deliveries: Vec<Delivery>,
) -> Vec<Delivery> {
    let others: Vec<&Arc<str>> = (request.queues.iter())
        .filter(|queue| !shared.contains(queue))
        .collect();
    let taken: usize = deliveries.iter().map(|delivery| delivery.raw.len()).sum();
    let rest = FetchRequest {
        limit: request.limit - deliveries.len(),
        bytes: request.bytes.saturating_sub(taken),
        ..*request
    };
    if rest.limit > 0 && rest.bytes > 0 && !others.is_empty() {
        let width = rest.limit.min(others.len());
        // What has been delivered must not be lost; the next read meets a failure again.
        if let Ok(more) = read_at_once(broker, &rest, &others[..width]).await {
            admit::note(broker, &more).await;
            deliveries.extend(more);
        }
    }
    deliveries
}

async fn fetch_with(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
) -> RedisResult<Vec<Delivery>> {
    let topology = broker.connection.server().topology();
    let queues = broker.turns.rotation.next(request.queues);
    let deliveries = take_turn(broker, request, &queues).await?;
    if !deliveries.is_empty() {
        return Ok(deliveries);
    }
    let widest = topology.queues_per_read(queues.len(), request.limit);
    let groups: Vec<&[&Arc<str>]> = queues.chunks(widest).collect();
    let deadline = Instant::now() + request.block.min(broker.block);
    let turn = topology.turn();
    if groups.len() > 1 {
        let deliveries = look_at_all(broker, request, &groups).await?;
        if !deliveries.is_empty() {
            return Ok(deliveries);
        }
        if topology.keys_are_together() {
            return wait_for_any(broker, request, &queues, deadline).await;
        }
    }
    for group in groups.iter().cycle() {
        let left = deadline.saturating_duration_since(Instant::now());
        let block = if request.interrupt.is_cancelled() {
            Duration::ZERO
        } else {
            left.min(turn)
        };
        let deliveries = if answers(broker, group) {
            fill(broker, request, group, block).await?
        } else {
            // The others get their turn; if there are none, all that is left is to wait.
            if !groups.iter().any(|group| answers(broker, group)) {
                let stream = broker.root.stream(group[0]);
                broker.connection.until_well(&stream, block.min(LOOK)).await;
            }
            Vec::new()
        };
        // A read may end early if it can't be interrupted.
        if !deliveries.is_empty() || block.is_zero() || Instant::now() >= deadline {
            return Ok(deliveries);
        }
    }
    Ok(Vec::new())
}

/// Waits for the first message of any queue, if nothing was ready a moment ago. If more messages arrive than are
/// wanted, the surplus is given back.
async fn wait_for_any(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[&Arc<str>],
    deadline: Instant,
) -> RedisResult<Vec<Delivery>> {
    let block = if request.interrupt.is_cancelled() {
        Duration::ZERO
    } else {
        deadline.saturating_duration_since(Instant::now())
    };
    let brought = Read::of(request, queues, 1, &[])
        .once(broker, block)
        .await?;
    broker.turns.backlog.note(queues, &brought.full);
    Ok(brought.deliveries)
}

/// Reads without waiting from one group after another: until there is something, or on a Cluster, where a group is
/// one queue, a share from each.
async fn look_at_all(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    groups: &[&[&Arc<str>]],
) -> RedisResult<Vec<Delivery>> {
    let together = broker.connection.server().topology().keys_are_together();
    let mut deliveries: Vec<Delivery> = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let taken: usize = deliveries.iter().map(|delivery| delivery.raw.len()).sum();
        let left = request.limit - deliveries.len();
        let limit = if together {
            left
        } else {
            share(left, groups.len() - place)
        };
        let rest = FetchRequest {
            limit,
            bytes: request.bytes.saturating_sub(taken),
            ..*request
        };
        if left == 0 || rest.bytes == 0 || (together && !deliveries.is_empty()) {
            break;
        }
        if !answers(broker, group) {
            continue;
        }
        match fill(broker, &rest, group, Duration::ZERO).await {
            Ok(more) => deliveries.extend(more),
            // What has been delivered must not be lost; the next read meets the failure again.
            Err(_) if !deliveries.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(deliveries)
}

/// Reads without waiting from these queues.
async fn read_at_once(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[&Arc<str>],
) -> RedisResult<Vec<Delivery>> {
    if broker.connection.server().topology().keys_are_together() {
        return fill(broker, request, queues, Duration::ZERO).await;
    }
    let each: Vec<&[&Arc<str>]> = queues.chunks(1).collect();
    look_at_all(broker, request, &each).await
}

/// Whether the server that has these queues answers.
fn answers(broker: &RedisBroker, group: &[&Arc<str>]) -> bool {
    // On a Cluster a group is one queue.
    !broker.connection.is_troubled(&broker.root.stream(group[0]))
}

/// Reads without waiting from the queues whose turn it is, if many have a backlog.
async fn take_turn(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[&Arc<str>],
) -> RedisResult<Vec<Delivery>> {
    let turn = broker.turns.backlog.turn(queues, request.limit);
    let mut deliveries = Vec::new();
    if !turn.others.is_empty() {
        deliveries = read_at_once(broker, request, &turn.others).await?;
    }
    let left = request.limit - deliveries.len();
    let backlogged = &turn.backlogged[..width(left).min(turn.backlogged.len())];
    if !backlogged.is_empty() {
        let taken: usize = deliveries.iter().map(|delivery| delivery.raw.len()).sum();
        let request = FetchRequest {
            limit: left,
            bytes: request.bytes.saturating_sub(taken),
            ..*request
        };
        let more = read_at_once(broker, &request, backlogged).await;
        match more {
            Ok(more) => deliveries.extend(more),
            // What has been delivered must not be lost; the next read meets the failure again.
            Err(_) if !deliveries.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deliveries)
}

/// Reads from a group of queues, then once more from those that may have more, up to the limit.
async fn fill(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[&Arc<str>],
    block: Duration,
) -> RedisResult<Vec<Delivery>> {
    let count = share(request.limit, queues.len());
    let read = Read::of(request, queues, count, &[]);
    let brought = read.once(broker, block).await?;
    broker.turns.backlog.note(queues, &brought.full);
    let (mut deliveries, full) = (brought.deliveries, brought.full);
    let left = request.limit - deliveries.len();
    if !full.is_empty() && full.len() < queues.len() && left >= full.len() {
        let read = Read::of(request, &full, share(left, full.len()), &deliveries);
        if read.bytes == 0 {
            return Ok(deliveries);
        }
        // A failure here must not lose what has been delivered; the next read meets it again.
        if let Ok(more) = read.once(broker, Duration::ZERO).await {
            broker.turns.backlog.note(&full, &more.full);
            deliveries.extend(more.deliveries);
        }
    }
    Ok(deliveries)
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}
