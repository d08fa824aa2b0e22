//! `chicory rollback`: the way back to a version that served before, or the end of a canary.
//!
//! Must not know how a roll-out goes.

use chicory_admin::{Deployed, RolledBack, RolloutOptions};
use clap::Args;
use serde_json::json;

use super::Context;
use super::deploy::rollout::{Bar, unchanged, until_ctrl_c, who};
use crate::output::Output;

/// Flags of `chicory rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
While a canary serves, it is the canary that is ended, at once. Otherwise all workers go back together,
as with a deploy. Messages that were checked against the version that is left still run on it where the
one before does not take them.
Examples:
  chicory rollback resize
  chicory rollback resize --to 3fa94c")]
pub(crate) struct RollbackArgs {
    /// The module
    module: String,
    /// The version to go back to: its digest, or how that begins [default: the one before]
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
            |_| format!("{module} sha256:{digest} is no canary any more"),
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
