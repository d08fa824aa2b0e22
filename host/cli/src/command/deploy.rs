//! `chicory deploy`: a module's new version to all workers that are alive, at once and without a restart.
//!
//! Must not know how a roll-out goes ([`Admin::deploy`]), nor where a version comes from ([`source`]).

pub(crate) mod rollout;
pub(crate) mod source;

use std::path::PathBuf;
use std::time::Duration;

use chicory_admin::{Admin, CanaryEnd, Deployed, RolloutOptions};
use chicory_queue::CanaryTerms;
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
    /// A module, its oci:// address, or the folder of a project, which is built first
    path: PathBuf,
    /// The module's name [default: the manifest's, or the file's or repository's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The version's name, for people [default: the manifest's]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    oci: OciArgs,
    /// Take a module that has its manifest inside, as `chicory bundle` writes it, with what it is granted
    #[arg(long)]
    bundled: bool,
    /// Deploy although messages that fit the active version may not fit the new one: those run on the old
    #[arg(long)]
    allow_breaking: bool,
    /// Give the new version this share of the messages first, and judge it by its failures
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    canary: Option<f64>,
    #[command(flatten)]
    terms: TermsArgs,
    /// With --canary: wait until it is promoted, or rolled back (exit code 1)
    #[arg(long, requires = "canary")]
    wait: bool,
    /// How long workers have to get ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    timeout: Duration,
}

/// When a canary is given up, and when it is promoted.
#[derive(Debug, Args)]
pub(crate) struct TermsArgs {
    /// Percentage points by which the canary's share of failures may be above the active version's
    #[arg(
        long,
        value_name = "POINTS",
        default_value_t = 5.0,
        requires = "canary"
    )]
    margin: f64,
    /// How long a canary must hold
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, requires = "canary")]
    hold: Duration,
    /// Tasks that must have ended on a canary before it is judged
    #[arg(long, value_name = "N", default_value_t = 20, requires = "canary")]
    min_tasks: u64,
}

const EXAMPLES: &str = "\
The module is checked here first: its tasks, its imports against what the manifest NAME.toml beside it
grants, its signatures against the active version's. Then every live worker fetches, verifies and
compiles it; once all are ready, they switch together. A worker that can't run it is named, and the
version before stays. Kept are the ten newest versions, those of the last week, and those that messages
need. A signature FILE.minisig beside a bundled module travels with it.
Exit codes: 1 refused, or stopped by a worker; 2 not deployable; 3 no registry.

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
        .ok_or_else(|| "a share between 0 and 100 %, such as 5%".into())
}

fn time(text: &str) -> Result<Duration, String> {
    parse::duration(text, Duration::from_secs(1))
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "a time such as 500ms, 30s, 5m".into())
}

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

/// Says how it went.
fn told(context: &Context, deployed: &Deployed, canary: Option<f64>) -> anyhow::Result<()> {
    let Deployed { module, digest, .. } = deployed;
    let Some(workers) = deployed.workers else {
        return rollout::unchanged(context.output, deployed);
    };
    context.output.value(deployed, |_| {
        let place = match workers {
            0 => "no worker is alive; those that start will serve it".to_owned(),
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
