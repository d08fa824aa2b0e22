//! `chicory modules`: which modules the registry has, in which versions, and who deployed them.
//!
//! Must not know how the registry is kept, nor change it.

mod audit;
mod history;
mod list;
mod show;
#[cfg(test)]
mod tests;

use chicory_queue::{ModuleRecord, Phase, Registry, RegistryError, Timestamp};
use clap::{Args, Subcommand};

use super::Context;
use crate::exit::CommandError;

/// Flags of `chicory modules`.
#[derive(Debug, Args)]
#[command(after_help = "\
The modules in a worker's own folder (--modules) are not among them.
Examples:
  chicory modules
  chicory modules show resize
  chicory modules history resize --json
  chicory modules audit --limit 10")]
pub(crate) struct ModulesArgs {
    #[command(subcommand)]
    command: Option<ModulesCommand>,
}

/// Commands of `chicory modules`.
#[derive(Debug, Subcommand)]
enum ModulesCommand {
    /// List all modules, which is also what no command does
    List,
    /// Show one module: its versions, its tasks, its roll-out or canary
    Show {
        /// The module
        module: String,
    },
    /// Show which versions of a module have been active, the newest first
    History {
        /// The module
        module: String,
    },
    /// Show who changed what, the newest first
    Audit {
        /// Show at most so many lines
        #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
        limit: usize,
    },
}

/// Runs a command of `chicory modules`.
pub(crate) async fn run(args: ModulesArgs, context: &Context) -> anyhow::Result<()> {
    let connected = context.connect().await?;
    let registry = connected.registry.as_ref();
    let output = context.output;
    match args.command.unwrap_or(ModulesCommand::List) {
        ModulesCommand::List => list::run(registry, output).await,
        ModulesCommand::Show { module } => show::run(registry, &module, output).await,
        ModulesCommand::History { module } => history::run(registry, &module, output).await,
        ModulesCommand::Audit { limit } => audit::run(registry, limit, output).await,
    }
}

/// The module's record, or an error that says which modules there are.
async fn find(registry: &dyn Registry, name: &str) -> anyhow::Result<ModuleRecord> {
    if let Some(record) = registry.module(name).await? {
        return Ok(record);
    }
    let records = sorted(registry).await?;
    let names: Vec<_> = records.iter().map(|record| record.name.as_str()).collect();
    let others = match names.as_slice() {
        [] => "there is none; `chicory deploy PATH` deploys one".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    let message = format!("no module {name:?} is deployed; {others}");
    Err(CommandError::Failed(message).into())
}

/// All modules by name.
async fn sorted(registry: &dyn Registry) -> Result<Vec<ModuleRecord>, RegistryError> {
    let (_, mut records) = registry.changed(0).await?;
    records.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(records)
}

/// The first characters of a digest, enough for people.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A time, to the second.
fn second(at: Timestamp) -> String {
    const SECOND: i64 = 1_000_000;
    Timestamp::from_micros(at.as_micros().div_euclid(SECOND) * SECOND).to_string()
}

/// What is under way with a module, in a few words.
fn state(record: &ModuleRecord, now: Timestamp) -> String {
    if let Some(rollout) = &record.rollout {
        let digest = short(&rollout.digest);
        let what = match rollout.phase {
            Phase::Preparing => format!("workers get ready for {digest}"),
            Phase::Switching => format!("workers switch to {digest}"),
        };
        if rollout.expires_at > now {
            return what;
        }
        return format!("{what}, over since {}", second(rollout.expires_at));
    }
    if let Some(canary) = &record.canary {
        let digest = short(&canary.digest);
        return format!("canary {digest}: {} %", canary.terms.percent);
    }
    match record.active {
        Some(_) => "active".into(),
        None => "not active".into(),
    }
}
