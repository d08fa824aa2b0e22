//! `chicory cleanup`: removes what dead workers left behind. Never removes a message.
//!
//! Must not know how consumers are kept.

use std::time::Duration;

use clap::Args;

use super::Context;
use crate::config::parse;

/// Flags of `chicory cleanup`.
#[derive(Debug, Args)]
pub(crate) struct CleanupArgs {
    /// Idle time after which a consumer that holds nothing is removed
    /// [default: `worker.stale_workers_timeout`]
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds)]
    stale_seconds: Option<Duration>,
}

/// Cleans up every queue.
pub(crate) async fn run(args: CleanupArgs, context: &Context) -> anyhow::Result<()> {
    let idle = args
        .stale_seconds
        .unwrap_or(context.config.worker.stale_workers_timeout);
    let cleaned = context.admin_of_all().await?.clean_up(idle).await?;
    context.output.value(&cleaned, |cleaned| {
        format!(
            "removed {} workers without a heartbeat and {} idle consumers",
            cleaned.workers, cleaned.consumers
        )
    })
}
