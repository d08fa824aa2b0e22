//! `chicory deploy`: a module's new version to all workers that are alive, at once and without a restart.
//!
//! Must not know how a roll-out goes ([`chicory_queue::Deployer`]) nor how a version is packed ([`source`]).

pub(crate) mod rollout;
pub(crate) mod source;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use chicory_queue::{
    CanaryTerms, Connected, ForgetRequest, ModuleRecord, RetentionRule, RolledOut, Target,
    Timestamp, Version, delete_unnamed,
};
use chicory_signature::compare;
use clap::Args;
use serde_json::json;

use self::rollout::{Drive, request};
use self::source::{Packed, Wanted};
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
    let packed = source::pack(&wanted, context).await?;
    let connected = context.connect().await?;
    let version = upload(&connected, &packed).await?;
    let request = request(
        args.timeout,
        args.canary.map(|percent| args.terms.of(percent)),
        args.allow_breaking,
    );
    let drive = Drive::new(&connected, context.output);
    let target = Target::Deploy(Box::new(version.clone()));
    let changes = |record: &ModuleRecord| changes(record, &version);
    let rolled = drive
        .roll_out(&packed.name, &target, changes, &request)
        .await;
    if rolled.is_err() {
        // Bytes that no version names are nobody's.
        delete_unnamed(
            connected.registry.as_ref(),
            std::slice::from_ref(&version.digest),
        )
        .await?;
    }
    let Some(rolled) = rolled? else {
        return Ok(());
    };
    let old = ForgetRequest {
        module: &packed.name,
        rule: RetentionRule::default(),
        by: &request.by,
        now: Timestamp::now(),
    };
    connected.forget(&old).await?;
    told(context, &packed.name, &rolled, args.canary)?;
    if args.wait {
        drive.verdict(&packed.name, &request.id).await?;
    }
    Ok(())
}

/// Says how it went.
fn told(
    context: &Context,
    module: &str,
    rolled: &RolledOut,
    canary: Option<f64>,
) -> anyhow::Result<()> {
    let body = json!({
        "module": module, "digest": rolled.digest, "workers": rolled.workers,
        "state": if canary.is_some() { "canary" } else { "active" },
    });
    context.output.value(&body, |_| {
        let place = match rolled.workers {
            0 => "no worker is alive; those that start will serve it".to_owned(),
            1 => "on 1 worker".to_owned(),
            workers => format!("on {workers} workers"),
        };
        let state = match canary {
            Some(percent) => format!("serves {percent} % of its messages"),
            None => "is active".to_owned(),
        };
        format!("{module} sha256:{} {state}, {place}", rolled.digest)
    })
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

/// Keeps the bytes in the registry, once more where they are there: they might be forgotten just now.
async fn upload(connected: &Connected, packed: &Packed) -> anyhow::Result<Version> {
    let bundle = &packed.bundle;
    let bytes = Bytes::from(bundle.bytes.clone());
    connected
        .registry
        .put_blob(&bundle.digest, bytes)
        .await
        .context("can't upload the module")?;
    Ok(Version {
        digest: bundle.digest.clone(),
        size: bundle.bytes.len() as u64,
        version: bundle.manifest.version.clone(),
        tasks: packed.tasks.clone(),
        manifest: serde_json::to_value(&bundle.manifest)?,
        deployed_by: rollout::who(),
        deployed_at: Timestamp::now(),
        signature: packed.signature.clone(),
        source: packed.source.clone(),
        retiring: false,
    })
}

/// What of the active version's tasks the new one does not take.
fn changes(record: &ModuleRecord, version: &Version) -> Vec<String> {
    let Some(active) = record.active_version() else {
        return Vec::new();
    };
    let changes = compare(&active.tasks, &version.tasks);
    changes.iter().map(ToString::to_string).collect()
}

/// The error that what is given can't be deployed.
fn undeployable(message: String) -> anyhow::Error {
    CommandError::Usage(message).into()
}
