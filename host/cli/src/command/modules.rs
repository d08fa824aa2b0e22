//! `chicory modules`: the modules of the registry, their versions, and who deployed them.
//!
//! Must not know how the registry is stored, nor change it.

mod audit;
mod history;
mod list;
mod show;
#[cfg(test)]
mod tests;

use chicory_admin::Admin;
use chicory_queue::Timestamp;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::deploy::rollout::who;
use crate::config::parse;
use crate::confirm::confirm;
use crate::exit::CommandError;
use crate::output::Output;

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
    /// Show one module: its versions, its tasks, and its rollout or canary
    Show {
        /// Module name
        module: String,
    },
    /// Show which versions of a module have been active, newest first
    History {
        /// Module name
        module: String,
    },
    /// Replace a record that can't be read with an empty one, as if the module had never been deployed
    Reset {
        /// Module name
        module: String,
        /// Reset without asking
        #[arg(long, short)]
        yes: bool,
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
        ModulesCommand::List => list(&admin, output).await,
        ModulesCommand::Show { module } => show::show(&admin.module(&module).await?, context),
        ModulesCommand::History { module } => {
            let rows = admin.history(&module).await?;
            output.value(&rows, |rows| history::human(&module, rows))
        }
        ModulesCommand::Reset { module, yes } => {
            let question = format!("Replace the record of module {module:?}, which can't be read?");
            confirm(&question, yes)?;
            admin.reset_module(&module, &who()).await?;
            output.value(&json!({ "reset": module }), |_| {
                format!("reset module {module}: `chicory deploy PATH` deploys it again")
            })
        }
        ModulesCommand::Audit { limit } => {
            output.value(&admin.audit(limit).await?, |lines| audit::human(lines))
        }
    }
}

/// Lists what can be read; it is a failure if that is not all.
async fn list(admin: &Admin, output: Output) -> anyhow::Result<()> {
    let rows = admin.modules().await?;
    output.value(&rows, |rows| list::human(rows))?;
    let unreadable = rows.iter().filter(|row| row.is_unreadable());
    let names: Vec<_> = unreadable.map(|row| format!("{:?}", row.module)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(CommandError::Failed(format!(
        "the registry's records of these modules can't be read: {}; all others work. Deploy them again, or replace \
         the records with `chicory modules reset MODULE`",
        names.join(", ")
    ))
    .into())
}

/// A time to the second.
fn second(at: Timestamp) -> String {
    at.whole_seconds().to_string()
}
