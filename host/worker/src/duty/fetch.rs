//! Duty: fetches ready messages, never more than can start now, and hands them to the lanes.
//!
//! Under load it waits a moment for several permits, so that a round trip to the broker brings many deliveries; idle,
//! it waits for one message with all permits. It also reclaims expired leases, because it already holds the permits.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::FetchRequest;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::reclaim::Reclaim;
use crate::admit::admit;
use crate::backoff::Backoff;
use crate::context::WorkerContext;

/// Larger replies bring no more throughput, and take long to read.
const LARGEST_BATCH: usize = 256;
/// How long a fetch waits for more than one permit if there is a backlog, and for how many such periods while the lanes
/// have enough to do.
const GATHER: Duration = Duration::from_millis(1);
const GATHERINGS: usize = 10;

/// Fetches until `interrupt` is cancelled.
pub(crate) async fn fetch(context: Arc<WorkerContext>, interrupt: CancellationToken) {
    let mut backoff = Backoff::new();
    let mut reclaim = Reclaim::new(context.lease);
    let mut backlog = false;
    while let Some(mut permits) = permits(&context, backlog, &interrupt).await {
        reclaim.when_due(&context, &mut permits).await;
        let limit = permits.num_permits();
        if limit == 0 {
            continue;
        }
        let bytes = tokio::select! {
            biased;
            () = interrupt.cancelled() => return,
            bytes = context.held.wait_for_room() => bytes,
        };
        let asked = Instant::now();
        let request = FetchRequest {
            queues: &context.queues,
            consumer: &context.consumer,
            limit,
            bytes,
            block: context.config.block.min(reclaim.pause()),
            interrupt: &interrupt,
        };
        let answer = context.connected.broker.fetch(request).await;
        match context.note(answer) {
            Some(mut deliveries) => {
                backoff.reset();
                // Large messages are given back and fetched again; so, after an outage, may be what is running here.
                deliveries.retain(|one| one.deliveries < 2 || !context.held.has(&one.lease));
                backlog = deliveries.len() * 2 > limit;
                if let Some(observer) = &context.observer
                    && !deliveries.is_empty()
                {
                    observer.fetched(deliveries.len());
                }
                admit(&context, deliveries, asked, &mut permits).await;
            }
            None => tokio::select! {
                () = backoff.wait() => {}
                () = interrupt.cancelled() => {}
            },
        }
    }
}

/// At least one permit, and all others that are free; none if interrupted.
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
