//! Duty: tells operators that this worker is alive, and what it is doing.
//!
//! Must not be needed for any task to run.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chicory_queue::WorkerInfo;
use serde_json::{Map, Value};

use crate::config::host_name;
use crate::context::WorkerContext;

/// Writes heartbeats until it is dropped.
pub(crate) async fn heartbeat(context: Arc<WorkerContext>) {
    let mut ticks = tokio::time::interval(context.config.heartbeat_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        beat(&context, true).await;
    }
}

/// Writes one heartbeat.
pub(crate) async fn beat(context: &WorkerContext, is_running: bool) {
    let info = WorkerInfo {
        worker_id: context.config.worker_id.clone(),
        hostname: host_name(),
        pid: std::process::id(),
        queue: context.config.queues.join(","),
        concurrency: context.config.concurrency,
        tasks_processed: context.counts.processed.load(Ordering::Relaxed),
        tasks_failed: context.counts.failed.load(Ordering::Relaxed),
        active_tasks: context.held.len() as u64,
        started_at: context.started_at,
        last_heartbeat: Some(context.clock.now()),
        is_running,
        extra: extra(context),
    };
    let answer = context
        .connected
        .results
        .heartbeat(&info, context.config.heartbeat_ttl)
        .await;
    context.note(answer);
}

/// What the heartbeats of Chicory for Python don't have: which program wrote this one and in which format, and, for
/// those who watch the fleet, what this worker serves of it.
fn extra(context: &WorkerContext) -> Map<String, Value> {
    let mut extra = Map::from_iter([
        ("program".to_owned(), Value::from(env!("CARGO_PKG_VERSION"))),
        ("format".to_owned(), Value::from(FORMAT)),
    ]);
    if let Some(versions) = context.runner.deployed() {
        let digests = versions
            .into_iter()
            .map(|(module, digest)| (module, Value::from(digest.as_ref())));
        extra.insert("modules".into(), Value::Object(digests.collect()));
    }
    if context.listens.load(Ordering::Relaxed) {
        extra.insert("listens".into(), Value::from(true));
    }
    extra
}

/// The format of heartbeats. It changes when a reader of the previous format would misread a heartbeat.
const FORMAT: u32 = 1;
