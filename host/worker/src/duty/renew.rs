//! Duty: keeps the leases of running tasks, and tells clients of those that last.
//!
//! Must not know why a task takes long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{Lease, ResultRecord, TaskState};

use crate::attempt::Attempt;
use crate::context::WorkerContext;

/// A task that has run for this long is announced as started; most end before, and cost nothing.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// Runs until it is dropped.
pub(crate) async fn renew(context: Arc<WorkerContext>) {
    let tick = (context.lease / 6).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        extend_old(&context).await;
        announce(&context).await;
    }
}

/// Extends the leases that have lasted for a third of their time.
async fn extend_old(context: &WorkerContext) {
    let age = context.lease / 3;
    let old = |attempt: &Attempt| !attempt.lease().acknowledged && attempt.lease_age() >= age;
    let due = context.held.pick(old);
    if due.is_empty() {
        return;
    }
    // The time is taken before the call: a lease must never seem younger than it is.
    let asked = Instant::now();
    let leases: Vec<Lease> = due.iter().map(|attempt| attempt.lease().clone()).collect();
    let answer = context.connected.broker.extend(&leases).await;
    if context.note(answer).is_some() {
        for attempt in due {
            // A lost lease is noticed when the attempt is settled; asking again would not bring it back.
            attempt.renewed(asked);
        }
    }
}

async fn announce(context: &WorkerContext) {
    let lasting =
        |attempt: &Attempt| attempt.fetched_at.elapsed() >= ANNOUNCE_AFTER && attempt.announce();
    let mut lasting = context.held.pick(lasting);
    lasting
        .retain(|attempt| attempt.message().is_some() && !attempt.ignores_result(attempt.task()));
    if lasting.is_empty() {
        return;
    }
    let records: Vec<_> = lasting.iter().map(|attempt| started(attempt)).collect();
    let answer = context.connected.results.store(&records).await;
    context.note(answer);
}

fn started(attempt: &Attempt) -> ResultRecord<'_> {
    ResultRecord {
        task_id: attempt.delivery.message_id().into(),
        state: TaskState::Started,
        body: None,
        reply_to: None,
    }
}
