//! `chicory deploy`: rolls out a module's new version to all live workers, together and without a restart.
//!
//! Must not know how a rollout goes ([`Admin::deploy`]), nor where a version comes from ([`source`]).

pub(crate) mod rollout;
pub(crate) mod source;

use std::path::PathBuf;
use std::time::Duration;

use chicory_admin::{Admin, CanaryEnd, Deployed, RolloutOptions};
use chicory_queue::CanaryTerms;
use chicory_signature::{Bounded, Unit};
use clap::Args;

use self::rollout::{Bar, until_ctrl_c, who};
use self::source::Wanted;
use super::Context;
use crate::config::parse;
use crate::exit::CommandError;
use crate::oci::OciArgs;

/// Flags of `chicory deploy`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeployArgs {
    /// Module file, oci:// address, or project folder (which is built first)
    path: PathBuf,
    /// Module name [default: from the manifest, the file or the repository]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Version name, for people [default: from the manifest]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    oci: OciArgs,
    /// Accept a module with a manifest inside, as written by `chicory bundle`, and grant what it says
    #[arg(long)]
    bundled: bool,
    /// Deploy even if messages for the active version may not fit the new one; those run on the old one
    #[arg(long)]
    allow_breaking: bool,
    /// Send this share of the messages to the new version first, and judge it by its failures
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    canary: Option<f64>,
    #[command(flatten)]
    terms: TermsArgs,
    /// With --canary: wait until it is promoted or rolled back (exit code 1)
    #[arg(long, requires = "canary")]
    wait: bool,
    /// How long workers have to get ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse::some_seconds)]
    timeout: Duration,
}

/// When a canary is rolled back, and when it is promoted.
#[derive(Debug, Args)]
pub(crate) struct TermsArgs {
    /// Percentage points by which the canary's failure rate may exceed the active version's
    #[arg(
        long,
        value_name = "POINTS",
        default_value_t = 5.0,
        value_parser = parse::number(MARGIN),
        requires = "canary"
    )]
    margin: f64,
    /// How long a canary must last before it is promoted
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse::some_seconds, requires = "canary")]
    hold: Duration,
    /// Number of tasks that must end on a canary before it is judged
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = parse::whole_number::<u64>(MIN_TASKS), requires = "canary")]
    min_tasks: u64,
}

const EXAMPLES: &str = "\
The module is first checked here: its tasks, its imports against the grants in the manifest \
NAME.toml next to it, and its signatures against those of the active version. Then every live \
worker fetches, verifies and compiles it. Once all are ready, they switch together. If a worker \
can't run it, the deploy stops and names the worker, and the previous version stays active.

The ten newest versions are kept, and so are those of the last week and those that queued messages \
need. A signature FILE.minisig next to a bundled module is deployed with it.

Exit codes: 1 refused, or stopped by a worker; 2 not deployable; 3 the registry can't be reached.

Examples:
  chicory deploy target/resize.wasm
  chicory deploy ./my-project --version 1.4.0
  chicory deploy resize.wasm --canary 5% --wait
  chicory deploy oci://ghcr.io/acme/resize:1.4.0";

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    number
        .ok()
        .filter(|percent| *percent > 0.0 && *percent < 100.0)
        .ok_or_else(|| "give a share between 0 and 100 %, such as 5%".into())
}

const MARGIN: Bounded = Bounded::new("margin", 0.0, 100.0, Unit::Ratio);
const MIN_TASKS: Bounded = Bounded::new("min_tasks", 0.0, 1e12, Unit::Count);

/// Packs, checks, uploads, rolls out.
pub(crate) async fn run(args: DeployArgs, context: &Context) -> anyhow::Result<()> {
    let wanted = Wanted {
        path: &args.path,
        name: args.name.as_deref(),
        version: args.version.as_deref(),
        bundled: args.bundled,
        plain_http: args.oci.plain_http,
    };
    let candidate = source::candidate(&wanted, context).await?;
    let admin = context.admin().await?;
    let options = RolloutOptions {
        timeout: args.timeout,
        canary: args.canary.map(|percent| args.terms.of(percent)),
        allow_breaking: args.allow_breaking,
        ..RolloutOptions::new(who())
    };
    let bar = Bar::new(&candidate.name, context.output);
    let deploying = admin.deploy(&candidate, &options, |stage| bar.show(stage));
    let deployed = until_ctrl_c(deploying, &options.stop).await?;
    bar.clear();
    told(context, &deployed, args.canary)?;
    match deployed.rollout {
        Some(rollout) if args.wait => verdict(&admin, &deployed.module, &rollout, context).await,
        _ => Ok(()),
    }
}

/// Reports the outcome.
fn told(context: &Context, deployed: &Deployed, canary: Option<f64>) -> anyhow::Result<()> {
    let Deployed { module, digest, .. } = deployed;
    let Some(workers) = deployed.workers else {
        return rollout::unchanged(context.output, deployed);
    };
    context.output.value(deployed, |_| {
        let place = match workers {
            0 => "no worker is alive; workers that start later will serve it".to_owned(),
            1 => "on 1 worker".to_owned(),
            workers => format!("on {workers} workers"),
        };
        let state = match canary {
            Some(percent) => format!("serves {percent} % of its messages"),
            None => "is active".to_owned(),
        };
        format!("{module} sha256:{digest} {state}, {place}")
    })
}

/// Waits until a canary is promoted or rolled back.
async fn verdict(
    admin: &Admin,
    module: &str,
    rollout: &str,
    context: &Context,
) -> anyhow::Result<()> {
    let message = match admin.canary_end(module, rollout).await? {
        CanaryEnd::Promoted(entry) => {
            return context
                .output
                .value(&entry, |entry| format!("promoted: {}", entry.detail));
        }
        CanaryEnd::RolledBack(entry) => format!("rolled back: {}", entry.detail),
        _ => "the canary has ended, and the audit log no longer says how".to_owned(),
    };
    Err(CommandError::Failed(message).into())
}

impl TermsArgs {
    fn of(&self, percent: f64) -> CanaryTerms {
        CanaryTerms {
            percent,
            margin: self.margin,
            hold: self.hold.as_secs_f64(),
            min_tasks: self.min_tasks,
        }
    }
}
