//! What becomes of tasks that are still running when the worker stops.
//!
//! Order: no new deliveries; running tasks get `shutdown_timeout`; those still running are dropped; outcomes are
//! settled; the rest is released, without a charge.

use std::time::Duration;

use chicory_signature::with_causes;

use crate::attempt::Concluded;
use crate::context::WorkerContext;
use crate::execute::interrupt;
use crate::stop::{Phase, Stop};

/// Waits until no task is running, the timeout is over, or a stop at once is asked for.
pub(crate) async fn wait_for_tasks(context: &WorkerContext, stop: &Stop, timeout: Duration) {
    tokio::select! {
        () = context.held.empty() => {}
        () = tokio::time::sleep(timeout) => {}
        () = stop.reached(Phase::Now) => {}
    }
}

/// Settles what is still held as interrupted. Returns the number of tasks.
pub(crate) async fn release_rest(context: &WorkerContext) -> usize {
    let rest = context.held.take_all().into_iter();
    let rest: Vec<Concluded> = rest.map(|attempt| interrupt(context, attempt)).collect();
    if rest.is_empty() {
        return 0;
    }
    let batch: Vec<_> = rest.iter().map(Concluded::request).collect();
    match tokio::time::timeout(RELEASE_TIMEOUT, context.connected.broker.settle(&batch)).await {
        Ok(Ok(_)) => tracing::info!(
            released = rest.len(),
            "released the tasks that were running"
        ),
        Ok(Err(error)) => {
            tracing::warn!(error = %with_causes(&error), tasks = rest.len(), "could not release tasks; their leases expire");
        }
        Err(_) => tracing::warn!(
            tasks = rest.len(),
            "the broker did not answer in time; leases expire"
        ),
    }
    rest.len()
}

/// A broker that is gone must not keep a worker from ending.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
