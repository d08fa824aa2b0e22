//! `chicory rollback`: the way back to a version that served before, or the end of a canary.
//!
//! Must not know how a roll-out goes.

use std::time::Duration;

use chicory_queue::{AuditEntry, Connected, ModuleRecord, Target, Timestamp};
use clap::Args;
use serde_json::json;

use super::Context;
use super::deploy::rollout::{Drive, request, who};
use crate::exit::CommandError;

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

/// How long workers have to get ready.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Ends the canary, or rolls back.
pub(crate) async fn run(args: RollbackArgs, context: &Context) -> anyhow::Result<()> {
    let connected = context.connect().await?;
    let record = connected.registry.module(&args.module).await?;
    let Some(record) = record else {
        let message = format!(
            "no module {:?} is deployed; `chicory modules list` shows those that are",
            args.module
        );
        return Err(CommandError::Failed(message).into());
    };
    if record.canary.is_some() && args.to.is_none() {
        let digest = end_canary(&connected, record).await?;
        return context.output.value(
            &json!({ "module": args.module, "digest": digest, "state": "ended" }),
            |_| format!("{} sha256:{digest} is no canary any more", args.module),
        );
    }
    let request = request(TIMEOUT, None, true);
    let drive = Drive::new(&connected, context.output);
    let target = Target::RollBack(args.to);
    let rolling = drive.roll_out(&args.module, &target, |_| Vec::new(), &request);
    let Some(rolled) = rolling.await? else {
        return Ok(());
    };
    context.output.value(
        &json!({ "module": args.module, "digest": rolled.digest, "workers": rolled.workers, "state": "active" }),
        |_| {
            format!(
                "{} is back at sha256:{}, on {} workers",
                args.module, rolled.digest, rolled.workers
            )
        },
    )
}

/// Ends the canary by compare-and-set: a worker may judge it at the same time.
async fn end_canary(connected: &Connected, mut record: ModuleRecord) -> anyhow::Result<String> {
    loop {
        let Some(canary) = record.canary.clone() else {
            let message = format!("the canary of {:?} has just ended by itself", record.name);
            return Err(CommandError::Failed(message).into());
        };
        let name = record.name.clone();
        let entry = AuditEntry {
            at: Timestamp::now(),
            by: who(),
            action: "rollback".into(),
            module: name.clone(),
            digest: canary.digest.clone(),
            detail: "the canary was ended by hand".into(),
        };
        let next = record
            .end_canary(&canary.id)
            .map_err(|error| CommandError::Failed(error.to_string()))?;
        if connected.registry.replace(&next, &entry).await?.is_some() {
            return Ok(canary.digest);
        }
        record = connected.registry.module(&name).await?.unwrap_or_default();
    }
}
