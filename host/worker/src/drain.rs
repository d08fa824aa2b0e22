//! Stopping: what was asked for, and the end of what is still at work.
//!
//! Order: no new deliveries; tasks at work get `shutdown_timeout`; sandboxes still at work are
//! dropped; what ended is settled; what did not is released, without a charge.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Outcome, Settle, Settlement};
use tokio::sync::watch;

use crate::shift::Shift;
use crate::translate;

/// A handle that stops a worker; clones are the same handle.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Phase>>);

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Now,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    /// Stop fetching, and let tasks at work end.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Stop at once: tasks at work are released to other workers.
    pub fn now(&self) {
        self.advance(Phase::Now);
    }

    fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let further = to > *phase;
            *phase = to.max(*phase);
            further
        });
    }

    pub(crate) async fn reached(&self, phase: Phase) {
        let mut watched = self.0.subscribe();
        // The sender lives in `self`, so the wait can't fail.
        let _ = watched.wait_for(|now| *now >= phase).await;
    }
}

/// Waits until nothing is at work, the timeout is over, or a stop at once is asked for.
pub(crate) async fn wait_for_tasks(shift: &Shift, stop: &Stop, timeout: Duration) {
    tokio::select! {
        () = shift.held.empty() => {}
        () = tokio::time::sleep(timeout) => {}
        () = stop.reached(Phase::Now) => {}
    }
}

/// Gives back what is still held. Says how many tasks that were.
pub(crate) async fn release_rest(shift: &Shift) -> usize {
    let rest: Vec<Settle> = shift.held.take_all().into_iter().map(give_back).collect();
    if rest.is_empty() {
        return 0;
    }
    match tokio::time::timeout(RELEASE_TIMEOUT, shift.connected.broker.settle(&rest)).await {
        Ok(Ok(_)) => tracing::info!(released = rest.len(), "gave back the tasks still at work"),
        Ok(Err(error)) => {
            tracing::warn!(%error, tasks = rest.len(), "could not give back tasks; their leases expire");
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
fn give_back(held: crate::shift::Held) -> Settle {
    let record = held.lease.acknowledged.then(|| {
        let outcome = Outcome::Failed(translate::cancelled());
        translate::record(&held.task_id, None, &outcome, &Settlement::Complete, None)
    });
    Settle {
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
