//! Duty: takes ready messages, never more than can start now, and hands them to the sandboxes.
//!
//! Under load it waits a moment for several permits, so that a round trip to the broker brings
//! many deliveries; idle, it waits for one message with all permits. Since it then has them all, what is
//! to be reclaimed is taken here as well, by [`Reclaim`], before the next fetch.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Delivery, DeliveryMode, FetchRequest, Payload, Settled};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Attempt, Ready};
use crate::backoff::Backoff;
use crate::context::WorkerContext;
use crate::duty::reclaim::Reclaim;
use crate::held::Held;
use crate::lane;

/// More than this in one reply brings nothing more, and makes replies long.
const LARGEST_BATCH: usize = 256;
/// How long a backlog may wait for more permits than one, and how often while the lanes have enough to do.
const GATHER: Duration = Duration::from_millis(1);
const GATHERINGS: usize = 10;

/// Fetches until `interrupt` is cancelled.
pub(crate) async fn fetch(context: Arc<WorkerContext>, interrupt: CancellationToken) {
    let mut backoff = Backoff::new();
    let mut reclaim = Reclaim::new(&context.config);
    let mut backlog = false;
    while let Some(mut permits) = permits(&context, backlog, &interrupt).await {
        reclaim.when_due(&context, &mut permits).await;
        let limit = permits.num_permits();
        if limit == 0 {
            continue;
        }
        let request = FetchRequest {
            queues: &context.queues,
            consumer: &context.consumer,
            limit,
            block: context.config.block.min(reclaim.pause()),
            interrupt: &interrupt,
        };
        let answer = context.connected.broker.fetch(request).await;
        match context.note(answer) {
            Some(deliveries) => {
                backoff.reset();
                backlog = deliveries.len() * 2 > limit;
                hand_over(&context, deliveries, &mut permits).await;
            }
            None => tokio::select! {
                () = backoff.wait() => {}
                () = interrupt.cancelled() => {}
            },
        }
    }
}

/// At least one permit, and all others that are free; none once interrupted.
async fn permits(
    context: &Arc<WorkerContext>,
    backlog: bool,
    interrupt: &CancellationToken,
) -> Option<OwnedSemaphorePermit> {
    let mut first = tokio::select! {
        biased;
        () = interrupt.cancelled() => return None,
        permit = Arc::clone(&context.permits).acquire_owned() => permit.ok()?,
    };
    if backlog {
        let wanted = (context.config.concurrency / 4).clamp(1, LARGEST_BATCH / 2);
        let mut more = pin!(Arc::clone(&context.permits).acquire_many_owned(count(wanted)));
        for _ in 0..GATHERINGS {
            if let Ok(Ok(more)) = tokio::time::timeout(GATHER, &mut more).await {
                first.merge(more);
                break;
            }
            if !context.has_stock() {
                break;
            }
        }
    }
    let room = LARGEST_BATCH.saturating_sub(first.num_permits());
    let free = context.permits.available_permits().min(room);
    if let Ok(more) = Arc::clone(&context.permits).try_acquire_many_owned(count(free)) {
        first.merge(more);
    }
    Some(first)
}

fn count(permits: usize) -> u32 {
    u32::try_from(permits).unwrap_or(u32::MAX)
}

/// Starts the deliveries, each with one of the permits: in the sandboxes' threads, but for one that comes
/// alone and is soon over.
pub(crate) async fn hand_over(
    context: &Arc<WorkerContext>,
    deliveries: Vec<Delivery>,
    permits: &mut OwnedSemaphorePermit,
) {
    if deliveries.is_empty() {
        return;
    }
    let mut attempts: Vec<Attempt> = deliveries
        .into_iter()
        .map(|d| prepare(context, d))
        .collect();
    acknowledge_first(context, &mut attempts).await;
    let first = context.held.insert(attempts.iter().map(held));
    let alone = attempts.len() == 1;
    for (ticket, attempt) in (first..).zip(attempts) {
        let Some(permit) = permits.split(1) else {
            return;
        };
        let ready = Ready {
            ticket,
            attempt,
            permit,
        };
        if alone && ready.is_brief() {
            lane::run_here(context, ready).await;
        } else {
            // Unbounded, since permits bound it; closed only when the worker has stopped.
            let _ = context.ready.try_send(ready);
        }
    }
}

fn prepare(context: &WorkerContext, delivery: Delivery) -> Attempt {
    // Before the look, so that a change in between is noticed when it begins.
    let generation = context.catalog.generation();
    let task = match &delivery.payload {
        Payload::Message(message) => context.catalog.task_of(message),
        Payload::Unreadable(_) => Err(String::new()),
    };
    Attempt {
        delivery,
        task,
        generation,
    }
}

fn held(attempt: &Attempt) -> Held {
    let (retries, ignore) = match &attempt.delivery.payload {
        Payload::Message(message) => (message.retries, message.ignore_result),
        Payload::Unreadable(_) => (0, false),
    };
    let ignore = ignore || attempt.task.as_ref().is_ok_and(|task| task.ignore_result);
    Held::new(&attempt.delivery, retries, ignore)
}

/// At most once: acknowledged before it runs. What can't be acknowledged does not run here.
async fn acknowledge_first(context: &WorkerContext, attempts: &mut Vec<Attempt>) {
    let usual = context.config.delivery_mode;
    let at_most_once = |attempt: &mut Attempt| {
        let task = attempt.task.as_ref();
        task.is_ok_and(|task| task.delivery_mode.unwrap_or(usual) == DeliveryMode::AtMostOnce)
    };
    let now: Vec<Attempt> = attempts.extract_if(.., at_most_once).collect();
    if now.is_empty() {
        return;
    }
    let leases: Vec<_> = now
        .iter()
        .map(|attempt| attempt.delivery.lease.clone())
        .collect();
    let answer = context.connected.broker.acknowledge(&leases).await;
    // Without an answer they may or may not be acknowledged: run none, and let leases expire.
    let settled = context.note(answer).unwrap_or_default();
    attempts.extend(
        now.into_iter()
            .zip(settled)
            .filter_map(|(mut attempt, settled)| {
                attempt.delivery.lease.acknowledged = true;
                (settled == Settled::Applied).then_some(attempt)
            }),
    );
}
