//! Duty: reclaims deliveries whose worker is gone, as far as there are permits to run them. Done by `fetch`.
//!
//! How often a message may be delivered is decided where it is executed, not here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{Delivery, ReclaimRequest};
use futures::future::join_all;
use tokio::sync::OwnedSemaphorePermit;

use crate::admit::admit;
use crate::attempt::info;
use crate::context::WorkerContext;

/// Queues checked in one round trip.
const AT_ONCE: usize = 32;

/// When to look for expired leases again.
#[derive(Debug)]
pub(crate) struct Reclaim {
    every: Duration,
    next: Instant,
}

impl Reclaim {
    /// Checks four times during a lease, within limits.
    pub(crate) fn new(lease: Duration) -> Self {
        let every = (lease / 4).clamp(Duration::from_millis(20), Duration::from_secs(10));
        Self {
            every,
            next: Instant::now() + every,
        }
    }

    /// How long until it is due.
    pub(crate) fn pause(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// If it is due, reclaims what has expired, with as many of the permits as that takes.
    pub(crate) async fn when_due(
        &mut self,
        context: &Arc<WorkerContext>,
        permits: &mut OwnedSemaphorePermit,
    ) {
        if !self.pause().is_zero() {
            return;
        }
        let mut is_done = true;
        let mut queues = &context.queues[..];
        while !queues.is_empty() {
            let bytes = context.held.room();
            let width = permits.num_permits().min(AT_ONCE).min(queues.len());
            if width == 0 || bytes == 0 {
                // Still due: checked again once there is room.
                return;
            }
            let (now, later) = queues.split_at(width);
            queues = later;
            let limit = permits.num_permits() / width;
            let asked = Instant::now();
            let looks = now
                .iter()
                .map(|queue| reclaim(context, queue, limit, bytes / width));
            let found = join_all(looks).await;
            // A queue that gave all it was asked for may have more.
            is_done &= width == 1 || found.iter().all(|found| found.len() < limit);
            admit(
                context,
                found.into_iter().flatten().collect(),
                asked,
                permits,
            )
            .await;
        }
        if is_done && permits.num_permits() > 0 {
            self.next = Instant::now() + self.every;
        }
    }
}

async fn reclaim(
    context: &WorkerContext,
    queue: &Arc<str>,
    limit: usize,
    bytes: usize,
) -> Vec<Delivery> {
    let request = ReclaimRequest {
        queue,
        consumer: &context.consumer,
        limit,
        bytes,
    };
    let answer = context.connected.broker.reclaim(request).await;
    let mut deliveries = context.note(answer).unwrap_or_default();
    // A lease of our own that expired while the broker was away: the task is stopped, and about to be released.
    deliveries.retain(|delivery| !context.held.has(&delivery.lease));
    for delivery in &deliveries {
        context.tell(|observer| observer.reclaimed(info(delivery)));
    }
    deliveries
}
