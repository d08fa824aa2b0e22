//! Duty: keeps the leases of running tasks, stops tasks that have lost theirs, and announces those that run for long.
//!
//! Must not know why a task takes long.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{Lease, ResultRecord, Settled, TaskState};

use crate::attempt::Attempt;
use crate::context::WorkerContext;

/// A task that has run for this long is announced as started. Most end before that, and cost nothing.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// Runs until it is dropped.
pub(crate) async fn renew(context: Arc<WorkerContext>) {
    let tick = (context.lease / 6).clamp(Duration::from_millis(1), Duration::from_secs(1));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut renewing = pin!(async {
            extend_old(&context).await;
            announce(&context).await;
        });
        // A broker that does not answer must not keep tasks running beyond their leases.
        loop {
            tokio::select! {
                biased;
                () = &mut renewing => break,
                _ = ticks.tick() => stop_over(&context),
            }
        }
        stop_over(&context);
    }
}

/// Extends the leases that have lasted for a third of their time.
async fn extend_old(context: &WorkerContext) {
    let now = Instant::now();
    let due = context.held.pick(|attempt| attempt.lease_time.is_due(now));
    if due.is_empty() {
        return;
    }
    // The time is taken before the call, so a lease never seems younger than it is.
    let asked = Instant::now();
    let leases: Vec<Lease> = due.iter().map(|attempt| attempt.lease().clone()).collect();
    let answer = context.connected.broker.extend(&leases).await;
    let Some(answers) = context.note(answer) else {
        return;
    };
    for (attempt, answer) in due.iter().zip(answers) {
        match answer {
            Settled::Applied => attempt.lease_time.renewed(asked),
            Settled::LeaseLost => attempt.lease_time.lost(),
            // Asked again at the next tick, until its time is over.
            Settled::Unreachable => {}
        }
    }
}

/// Stops the tasks whose leases are over. Those running in a lane now notice within a turn by themselves.
fn stop_over(context: &WorkerContext) {
    let tasks = context.work.stop_over(Instant::now());
    if tasks > 0 {
        tracing::warn!(
            tasks,
            "leases of running tasks were lost or could not be renewed in time; these tasks are stopped"
        );
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
        tenant: attempt.delivery.lease.tenant.clone(),
        task_id: attempt.delivery.message_id().into(),
        state: TaskState::Started,
        body: None,
        reply_to: None,
    }
}
