//! Duty: acknowledges messages of tasks that run at most once, each just before it starts.
//!
//! At any time, at most one message per thread is acknowledged without running yet, so the tasks that are lost with a
//! killed worker had begun. Requests that arrive during one round trip share the next. A task whose message is not
//! acknowledged does not start; the message is released. Must not know how a call runs.

use std::sync::Arc;
use std::time::Instant;

use chicory_queue::Settled;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::context::WorkerContext;
use crate::unacknowledged::Waiting;

/// Acknowledges until nobody can ask any more.
pub(crate) async fn acknowledge(
    context: Arc<WorkerContext>,
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
) {
    let starts = Arc::new(Semaphore::new(context.config.threads.max(1)));
    while let Some(first) = waiting.recv().await {
        let Ok(start) = Arc::clone(&starts).acquire_owned().await else {
            return;
        };
        let mut batch = vec![(first, start)];
        while let Ok(start) = Arc::clone(&starts).try_acquire_owned()
            && let Ok(next) = waiting.try_recv()
        {
            batch.push((next, start));
        }
        acknowledge_batch(&context, batch).await;
    }
}

async fn acknowledge_batch(
    context: &WorkerContext,
    mut batch: Vec<(Waiting, OwnedSemaphorePermit)>,
) {
    let now = Instant::now();
    batch.retain(|(one, _)| !one.start.is_closed() && !one.attempt.lease_time.is_over(now));
    if batch.is_empty() {
        return;
    }
    let leases: Vec<_> = batch
        .iter()
        .map(|(one, _)| one.attempt.lease().clone())
        .collect();
    let answer = context.connected.broker.acknowledge(&leases).await;
    // Without an answer they may or may not be acknowledged. None starts; they are released if they are still leased.
    let answers = context.note(answer).unwrap_or_default();
    for ((one, start), answer) in batch.into_iter().zip(answers) {
        if answer == Settled::Applied {
            one.attempt.acknowledged();
            // If the call was given up meanwhile, its attempt is released as one that had not begun.
            let _ = one.start.send(start);
        }
    }
}
