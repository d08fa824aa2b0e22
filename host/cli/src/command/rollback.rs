//! `chicory rollback`: goes back to a version that served before, or ends a canary.
//!
//! Must not know how a rollout goes.

use chicory_admin::{Deployed, RolledBack, RolloutOptions};
use clap::Args;
use serde_json::json;

use super::Context;
use super::deploy::rollout::{Bar, unchanged, until_ctrl_c, who};
use crate::output::Output;

/// Flags of `chicory rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
While a canary serves, rollback ends it at once. Otherwise all workers switch back together, as \
with a deploy. Messages that were checked against the abandoned version still run on it where the \
previous version does not accept them.

Examples:
  chicory rollback resize
  chicory rollback resize --to 3fa94c")]
pub(crate) struct RollbackArgs {
    /// Module name
    module: String,
    /// Version to roll back to: its digest, or the beginning of it [default: the previous one]
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

/// Ends the canary, or rolls back.
pub(crate) async fn run(args: RollbackArgs, context: &Context) -> anyhow::Result<()> {
    let admin = context.admin().await?;
    let options = RolloutOptions::new(who());
    let bar = Bar::new(&args.module, context.output);
    let rolling = admin.roll_back(&args.module, args.to, &options, |stage| bar.show(stage));
    let rolled = until_ctrl_c(rolling, &options.stop).await?;
    bar.clear();
    match rolled {
        RolledBack::CanaryEnded { module, digest } => context.output.value(
            &json!({ "module": module, "digest": digest, "state": "ended" }),
            |_| format!("{module} sha256:{digest} is no longer a canary"),
        ),
        RolledBack::Deployed(deployed) => told(context.output, &deployed),
    }
}

fn told(output: Output, deployed: &Deployed) -> anyhow::Result<()> {
    let Deployed { module, digest, .. } = deployed;
    let Some(workers) = deployed.workers else {
        return unchanged(output, deployed);
    };
    output.value(deployed, |_| {
        format!("{module} is back at sha256:{digest}, on {workers} workers")
    })
}
