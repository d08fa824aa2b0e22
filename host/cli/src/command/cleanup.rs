//! `chicory cleanup`: forgets what dead workers left behind. Never drops a message.
//!
//! Must not know how consumers are kept.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Context;
use crate::config::parse;

/// Flags of `chicory cleanup`.
#[derive(Debug, Args)]
pub(crate) struct CleanupArgs {
    /// Idle time after which a consumer that holds nothing is forgotten [default:
    /// `worker.stale_workers_timeout`]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    stale_seconds: Option<Duration>,
}

/// Cleans up every queue.
pub(crate) async fn run(args: CleanupArgs, context: &Context) -> anyhow::Result<()> {
    let idle = args
        .stale_seconds
        .unwrap_or(context.config.worker.stale_workers_timeout);
    let connected = context.connect().await?;
    let workers = connected.results.remove_stale_workers().await?;
    let mut consumers = 0;
    for queue in connected.inspect.queues().await? {
        consumers += connected
            .inspect
            .remove_stale_consumers(&queue, idle)
            .await?;
    }
    let body = json!({ "workers": workers, "consumers": consumers });
    context.output.value(&body, |_| {
        format!("forgot {workers} workers without a heartbeat, {consumers} idle consumers")
    })
}
