//! `chicory modules`: which modules the registry has, in which versions, and who deployed them.
//!
//! Must not know how the registry is kept, nor change it.

mod audit;
mod history;
mod list;
mod show;
#[cfg(test)]
mod tests;

use chicory_queue::Timestamp;
use clap::{Args, Subcommand};

use super::Context;

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
    let admin = context.admin().await?;
    let output = context.output;
    match args.command.unwrap_or(ModulesCommand::List) {
        ModulesCommand::List => output.value(&admin.modules().await?, |rows| list::human(rows)),
        ModulesCommand::Show { module } => output.value(&admin.module(&module).await?, |detail| {
            show::human(detail, Timestamp::now())
        }),
        ModulesCommand::History { module } => {
            let rows = admin.history(&module).await?;
            output.value(&rows, |rows| history::human(&module, rows))
        }
        ModulesCommand::Audit { limit } => {
            output.value(&admin.audit(limit).await?, |lines| audit::human(lines))
        }
    }
}

/// The first characters of a digest, enough for people.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A time, to the second.
fn second(at: Timestamp) -> String {
    at.whole_seconds().to_string()
}
