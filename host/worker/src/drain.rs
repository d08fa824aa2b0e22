//! The end of what is still running when the worker stops.
//!
//! Order: no new deliveries; tasks at work get `shutdown_timeout`; sandboxes still at work are
//! dropped; what ended is settled; what did not is released, without a charge.

use chicory_signature::with_causes;
use std::time::Duration;

use chicory_queue::{Outcome, SettleRequest, Settlement};

use crate::context::WorkerContext;
use crate::held::Held;
use crate::sandbox::translate;
use crate::stop::{Phase, Stop};

/// Waits until nothing is at work, the timeout is over, or a stop at once is asked for.
pub(crate) async fn wait_for_tasks(context: &WorkerContext, stop: &Stop, timeout: Duration) {
    tokio::select! {
        () = context.held.empty() => {}
        () = tokio::time::sleep(timeout) => {}
        () = stop.reached(Phase::Now) => {}
    }
}

/// Gives back what is still held. Says how many tasks that were.
pub(crate) async fn release_rest(context: &WorkerContext) -> usize {
    let rest: Vec<SettleRequest> = context.held.take_all().into_iter().map(give_back).collect();
    if rest.is_empty() {
        return 0;
    }
    match tokio::time::timeout(RELEASE_TIMEOUT, context.connected.broker.settle(&rest)).await {
        Ok(Ok(_)) => tracing::info!(released = rest.len(), "gave back the tasks still at work"),
        Ok(Err(error)) => {
            tracing::warn!(error = %with_causes(&error), tasks = rest.len(), "could not give back tasks; their leases expire");
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

/// At least once: released. At most once: it may not run again, so its result says what happened.
fn give_back(held: Held) -> SettleRequest {
    let record = held.lease.acknowledged.then(|| {
        let outcome = Outcome::Failed(translate::cancelled());
        translate::record(&held.task_id, None, &outcome, &Settlement::Complete, None)
    });
    SettleRequest {
        settlement: match record {
            Some(_) => Settlement::Complete,
            None => Settlement::Release,
        },
        record: record.filter(|_| !held.ignore_result),
        lease: held.lease,
        raw: held.raw,
        task_id: held.task_id,
        // Only dead letters say it.
        task_name: String::new(),
        retries: held.retries,
    }
}
