//! Duty: says that this worker lives, and clears away what workers that don't have left.
//!
//! Must not be needed for any task to run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chicory_queue::WorkerInfo;
use serde_json::{Map, Value};

use crate::config::host_name;
use crate::shift::Shift;

/// Writes heartbeats until it is dropped.
pub(crate) async fn heartbeat(shift: Arc<Shift>) {
    let mut ticks = tokio::time::interval(shift.config.heartbeat_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        beat(&shift, true).await;
    }
}

/// Writes one heartbeat.
pub(crate) async fn beat(shift: &Shift, is_running: bool) {
    let info = WorkerInfo {
        worker_id: shift.config.worker_id.clone(),
        hostname: host_name(),
        pid: std::process::id(),
        queue: shift.config.queues.join(","),
        concurrency: shift.config.concurrency,
        tasks_processed: shift.counts.processed.load(Ordering::Relaxed),
        tasks_failed: shift.counts.failed.load(Ordering::Relaxed),
        active_tasks: shift.held.len() as u64,
        started_at: shift.started_at,
        last_heartbeat: Some(shift.clock.now()),
        is_running,
        extra: versions(shift),
    };
    let answer = shift
        .connected
        .results
        .heartbeat(&info, shift.config.heartbeat_ttl)
        .await;
    shift.note(answer);
}

/// The versions that a worker of a fleet serves, for those who look at the fleet.
fn versions(shift: &Shift) -> Map<String, Value> {
    if !shift.in_fleet {
        return Map::new();
    }
    let versions = shift.catalog.versions().into_iter();
    let digests = versions.map(|(module, digest)| (module, Value::from(digest.as_ref())));
    Map::from_iter([("modules".to_owned(), Value::Object(digests.collect()))])
}

/// Clears away stale workers and consumers until it is dropped.
pub(crate) async fn clean(shift: Arc<Shift>) {
    loop {
        tokio::time::sleep(shift.config.cleanup_interval.max(Duration::from_secs(1))).await;
        let answer = shift.connected.results.remove_stale_workers().await;
        let workers = shift.note(answer).unwrap_or(0);
        let mut consumers = 0;
        for queue in &shift.queues {
            let idle = shift.config.stale_workers_timeout;
            let answer = shift
                .connected
                .inspect
                .remove_stale_consumers(queue, idle)
                .await;
            consumers += shift.note(answer).unwrap_or(0);
        }
        if workers + consumers > 0 {
            tracing::info!(workers, consumers, "cleared away what is stale");
        }
    }
}
