//! Duty: takes over deliveries whose worker is gone, as far as there are permits to run them.
//!
//! How often a message may be handed out is decided where it is executed, not here.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::ReclaimRequest;

use crate::fetch::hand_over;
use crate::shift::Shift;

/// More at once than this brings nothing.
const LARGEST_BATCH: usize = 256;

/// Runs until it is dropped.
pub(crate) async fn reclaim(shift: Arc<Shift>) {
    let pause = (shift.config.lease / 4).clamp(Duration::from_millis(20), Duration::from_secs(10));
    loop {
        tokio::time::sleep(pause).await;
        for queue in &shift.queues {
            while take_over(&shift, queue).await {}
        }
    }
}

/// One batch; true where there may be more that can start now.
async fn take_over(shift: &Arc<Shift>, queue: &Arc<str>) -> bool {
    let limit = shift.permits.available_permits().min(LARGEST_BATCH);
    let wanted = u32::try_from(limit).unwrap_or(u32::MAX);
    let Ok(permits) = Arc::clone(&shift.permits).try_acquire_many_owned(wanted) else {
        return false;
    };
    if limit == 0 {
        return false;
    }
    let request = ReclaimRequest {
        queue,
        consumer: &shift.consumer,
        limit,
    };
    let answer = shift.connected.broker.reclaim(request).await;
    let Some(mut deliveries) = shift.note(answer) else {
        return false;
    };
    let taken = deliveries.len();
    // A lease of our own that ran out while the broker was away: the task is still at work here.
    deliveries.retain(|delivery| !shift.held.has(&delivery.lease));
    for delivery in &deliveries {
        tracing::warn!(
            task_id = %delivery.task_id, entry = %delivery.lease.entry, deliveries = delivery.deliveries,
            "took over a task whose lease had expired"
        );
    }
    hand_over(shift, deliveries, permits).await;
    taken == limit
}
