//! Duty: reclaims deliveries whose worker is gone, as far as there are permits to run them. Done by `fetch`.
//!
//! How often a message may be handed out is decided where it is executed, not here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::ReclaimRequest;
use tokio::sync::OwnedSemaphorePermit;

use crate::admit::admit;
use crate::attempt::info;
use crate::context::WorkerContext;

/// When to look for expired leases again.
#[derive(Debug)]
pub(crate) struct Reclaim {
    every: Duration,
    next: Instant,
}

impl Reclaim {
    /// Looks four times while a lease lasts, within bounds.
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

    /// Where it is due, reclaims what has expired, with as many of the permits as that needs.
    pub(crate) async fn when_due(
        &mut self,
        context: &Arc<WorkerContext>,
        permits: &mut OwnedSemaphorePermit,
    ) {
        if !self.pause().is_zero() {
            return;
        }
        for queue in &context.queues {
            let bytes = context.held.room();
            if permits.num_permits() == 0 || bytes == 0 {
                // Due still: looked at again once there is room.
                return;
            }
            reclaim(context, queue, permits, bytes).await;
        }
        if permits.num_permits() > 0 {
            self.next = Instant::now() + self.every;
        }
    }
}

async fn reclaim(
    context: &Arc<WorkerContext>,
    queue: &Arc<str>,
    permits: &mut OwnedSemaphorePermit,
    bytes: usize,
) {
    let request = ReclaimRequest {
        queue,
        consumer: &context.consumer,
        limit: permits.num_permits(),
        bytes,
    };
    let asked = Instant::now();
    let answer = context.connected.broker.reclaim(request).await;
    let mut deliveries = context.note(answer).unwrap_or_default();
    // A lease of our own that ran out while the broker was away: the task is stopped, and about to be released.
    deliveries.retain(|delivery| !context.held.has(&delivery.lease));
    for delivery in &deliveries {
        context.tell(|observer| observer.reclaimed(info(delivery)));
    }
    admit(context, deliveries, asked, permits).await;
}
