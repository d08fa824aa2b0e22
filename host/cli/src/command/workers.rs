//! `chicory workers`: the workers that are alive, and the versions of deployed modules that each serves.
//!
//! Must not know how heartbeats are kept.

use chicory_admin::WorkerRow;
use chicory_queue::Timestamp;
use clap::Args;

use super::Context;
use crate::output::{shorten, table};

/// Flags of `chicory workers`.
#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {}

/// Lists the workers whose heartbeat lasts.
pub(crate) async fn run(_args: WorkersArgs, context: &Context) -> anyhow::Result<()> {
    let workers = context.admin_of_all().await?.workers().await?;
    context.output.value(&workers, |workers| human(workers))
}

/// A worker's versions in a few words.
fn versions(worker: &WorkerRow) -> String {
    let Some(versions) = worker.info.versions() else {
        return "from its folder".into();
    };
    if worker.lags.is_empty() {
        return format!("{} deployed", versions.len());
    }
    format!("LAGS: {}", shorten(&worker.lags.join(", "), 40))
}

fn human(workers: &[WorkerRow]) -> String {
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
        "VERSIONS",
    ];
    let now = Timestamp::now();
    let ago = |time: Timestamp| {
        let whole = std::time::Duration::from_secs(now.since(time).as_secs());
        humantime::format_duration(whole).to_string()
    };
    table(
        header,
        workers.iter().map(|row| {
            let worker = &row.info;
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
                versions(row),
            ]
        }),
    )
}
