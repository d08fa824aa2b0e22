//! `chicory workers`: who is alive.
//!
//! Must not know how heartbeats are kept.

use chicory_queue::{Timestamp, WorkerInfo};
use clap::Args;

use super::Context;
use crate::output::table;

/// Flags of `chicory workers`.
#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {}

/// Lists the workers whose heartbeat lasts.
pub(crate) async fn run(_args: WorkersArgs, context: &Context) -> anyhow::Result<()> {
    let connected = context.connect().await?;
    let mut workers = connected.results.workers().await?;
    workers.sort_by(|a, b| a.worker_id.cmp(&b.worker_id));
    context.output.value(&workers, |workers| human(workers))
}

fn human(workers: &[WorkerInfo]) -> String {
    if workers.is_empty() {
        return "no worker is alive; start one: chicory worker --modules DIR".into();
    }
    let header = [
        "WORKER",
        "QUEUES",
        "STATE",
        "ACTIVE",
        "PROCESSED",
        "FAILED",
        "UP",
        "SEEN",
    ];
    let now = Timestamp::now();
    let ago = |time: Timestamp| {
        let whole = std::time::Duration::from_secs(now.since(time).as_secs());
        humantime::format_duration(whole).to_string()
    };
    table(
        header,
        workers.iter().map(|worker| {
            let state = if worker.is_running {
                "running"
            } else {
                "draining"
            };
            [
                worker.worker_id.clone(),
                worker.queue.clone(),
                state.to_owned(),
                format!("{}/{}", worker.active_tasks, worker.concurrency),
                worker.tasks_processed.to_string(),
                worker.tasks_failed.to_string(),
                ago(worker.started_at),
                worker
                    .last_heartbeat
                    .map_or_else(String::new, |time| format!("{} ago", ago(time))),
            ]
        }),
    )
}
