//! Duty: keeps the leases of tasks at work, and tells clients of those that last.
//!
//! Must not know why a task takes long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{Lease, ResultRecord, TaskState};

use crate::context::WorkerContext;

/// A task at work for this long is announced as started; most end before, and cost nothing.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);

/// Runs until it is dropped.
pub(crate) async fn renew(context: Arc<WorkerContext>) {
    let tick = (context.config.lease / 6).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        extend_old(&context).await;
        announce(&context).await;
    }
}

/// Extends the leases that are a third of their time old.
async fn extend_old(context: &WorkerContext) {
    let age = context.config.lease / 3;
    let mut due: Vec<(u64, Lease)> = Vec::new();
    context.held.look(|ticket, held| {
        if held.leased_at.elapsed() >= age && !held.lease.acknowledged {
            due.push((ticket, held.lease.clone()));
        }
        held.fetched_at.elapsed() >= age
    });
    if due.is_empty() {
        return;
    }
    // The time is taken before the call: a lease must never seem younger than it is.
    let asked = Instant::now();
    let leases: Vec<Lease> = due.iter().map(|(_, lease)| lease.clone()).collect();
    let answer = context.connected.broker.extend(&leases).await;
    if context.note(answer).is_some() {
        for (ticket, _) in due {
            // One that was lost is known to be so when it is settled; asking again is of no use.
            context.held.with(ticket, |held| held.leased_at = asked);
        }
    }
}

async fn announce(context: &WorkerContext) {
    let mut records = Vec::new();
    context.held.look(|_, held| {
        let lasting = held.fetched_at.elapsed() >= ANNOUNCE_AFTER;
        if lasting && !held.announced {
            held.announced = true;
            if !held.ignore_result && !held.task_id.is_empty() {
                records.push(ResultRecord {
                    task_id: held.task_id.clone(),
                    state: TaskState::Started,
                    body: None,
                    reply_to: None,
                });
            }
        }
        lasting
    });
    if !records.is_empty() {
        let answer = context.connected.results.store(&records).await;
        context.note(answer);
    }
}
