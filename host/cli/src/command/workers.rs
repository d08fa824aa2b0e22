//! `chicory workers`: who is alive, and which versions of deployed modules each serves.
//!
//! Must not know how heartbeats are kept.

use chicory_queue::{ModuleRecord, Timestamp, WorkerInfo};
use clap::Args;
use serde_json::Value;

use super::Context;
use crate::output::{shorten, table};

/// Flags of `chicory workers`.
#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {}

/// Lists the workers whose heartbeat lasts.
pub(crate) async fn run(_args: WorkersArgs, context: &Context) -> anyhow::Result<()> {
    let connected = context.connect().await?;
    let mut workers = connected.results.workers().await?;
    workers.sort_by(|a, b| a.worker_id.cmp(&b.worker_id));
    let (_, deployed) = connected.registry.changed(0).await?;
    let body: Vec<_> = workers
        .iter()
        .map(|worker| with_lag(worker, &deployed))
        .collect::<Result<_, _>>()?;
    context.output.value(&body, |_| human(&workers, &deployed))
}

/// The deployed modules that a worker serves in another version than it should, or not at all. A worker
/// that takes no part in a fleet has none.
fn lags<'a>(worker: &WorkerInfo, deployed: &'a [ModuleRecord]) -> Vec<&'a str> {
    let Some(versions) = worker.versions() else {
        return Vec::new();
    };
    let behind = deployed.iter().filter(|record| {
        let served = versions
            .get(&record.name)
            .and_then(|digest| digest.as_str());
        record.active.is_some() && served != record.serving()
    });
    behind.map(|record| record.name.as_str()).collect()
}

fn with_lag(worker: &WorkerInfo, deployed: &[ModuleRecord]) -> serde_json::Result<Value> {
    let mut body = serde_json::to_value(worker)?;
    body["lags"] = lags(worker, deployed).into();
    Ok(body)
}

/// The versions of a worker in a few words.
fn versions(worker: &WorkerInfo, deployed: &[ModuleRecord]) -> String {
    let Some(versions) = worker.versions() else {
        return "of its folder".into();
    };
    let behind = lags(worker, deployed);
    if behind.is_empty() {
        return format!("{} deployed", versions.len());
    }
    format!("LAGS: {}", shorten(&behind.join(", "), 40))
}

fn human(workers: &[WorkerInfo], deployed: &[ModuleRecord]) -> String {
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
                versions(worker, deployed),
            ]
        }),
    )
}
