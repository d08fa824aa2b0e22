//! `chicory modules`: the modules of the registry, their versions, and who deployed them.
//!
//! Must not know how the registry is stored, nor change it.

mod audit;
mod history;
mod list;
mod show;
#[cfg(test)]
mod tests;

use chicory_queue::Timestamp;
use clap::{Args, Subcommand};

use super::Context;
use crate::config::parse;

/// Flags of `chicory modules`.
#[derive(Debug, Args)]
#[command(after_help = "\
Modules in a worker's own folder (--modules) are not listed.

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
    /// List all deployed modules (the default)
    List,
    /// Show one module: its versions, its tasks, and its roll-out or canary
    Show {
        /// Module name
        module: String,
    },
    /// Show which versions of a module have been active, newest first
    History {
        /// Module name
        module: String,
    },
    /// Show who changed what, newest first
    Audit {
        /// Maximum number of entries to show
        #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = parse::whole_number::<usize>(parse::LISTED))]
        limit: usize,
    },
}

/// Runs a command of `chicory modules`.
pub(crate) async fn run(args: ModulesArgs, context: &Context) -> anyhow::Result<()> {
    let admin = context.admin().await?;
    let output = context.output;
    match args.command.unwrap_or(ModulesCommand::List) {
        ModulesCommand::List => output.value(&admin.modules().await?, |rows| list::human(rows)),
        ModulesCommand::Show { module } => show::show(&admin.module(&module).await?, context),
        ModulesCommand::History { module } => {
            let rows = admin.history(&module).await?;
            output.value(&rows, |rows| history::human(&module, rows))
        }
        ModulesCommand::Audit { limit } => {
            output.value(&admin.audit(limit).await?, |lines| audit::human(lines))
        }
    }
}

/// A time to the second.
fn second(at: Timestamp) -> String {
    at.whole_seconds().to_string()
}
