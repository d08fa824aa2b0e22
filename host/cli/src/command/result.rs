//! `chicory result`: shows how a task ended, or waits for that.
//!
//! Must not know who runs tasks.

use std::time::Duration;

use chicory_admin::{Admin, Lookup, NotEnded};
use chicory_queue::{TaskResult, TaskState};
use clap::Args;

use super::Context;
use crate::config::parse;
use crate::exit::CommandError;
use crate::output::{Output, printable, tell, write_result};

/// Flags of `chicory result`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 the task succeeded, 1 it failed, 4 it has not ended (in time) or is unknown.

Examples:
  chicory result 5f0c…
  chicory result 5f0c… --wait --timeout 30s --json")]
pub(crate) struct ResultArgs {
    /// Message id, as printed by `chicory enqueue`
    id: String,
    /// Wait until the task ends
    #[arg(long)]
    wait: bool,
    /// Maximum time to wait [default: `result.default_timeout`, or no limit]
    #[arg(long, value_name = "DURATION", value_parser = parse::seconds, requires = "wait")]
    timeout: Option<Duration>,
}

/// Prints the result, if there is one.
pub(crate) async fn run(args: ResultArgs, context: &Context) -> anyhow::Result<()> {
    let admin = context.admin().await?;
    if args.wait {
        let timeout = args.timeout.or(context.config.result_timeout);
        return wait(&admin, &args.id, timeout, context.output).await;
    }
    match admin.result(&args.id).await? {
        Lookup::Ended(result) => show(&result, context.output),
        Lookup::NotEnded(task) => not_ended(&task, context.output, "has not ended"),
    }
}

/// Waits for a task's end, and shows it.
pub(crate) async fn wait(
    admin: &Admin,
    id: &str,
    timeout: Option<Duration>,
    output: Output,
) -> anyhow::Result<()> {
    match admin.wait_for_result(id, timeout).await? {
        Lookup::Ended(result) => show(&result, output),
        Lookup::NotEnded(task) => not_ended(&task, output, "did not end in time"),
    }
}

/// Shows how a task ended; if it failed, the command fails.
fn show(result: &TaskResult, output: Output) -> anyhow::Result<()> {
    if output.is_json() {
        output.value(result, |_| String::new())?;
    }
    if result.state == TaskState::Success && result.ignored {
        tell(&format!(
            "task {} succeeded; its result is not kept, because `ignore_result` is set in its module's manifest or its message",
            result.task_id
        ));
        return Ok(());
    }
    if result.state == TaskState::Success {
        if !output.is_json() {
            write_result(result.result.as_ref().unwrap_or(&serde_json::Value::Null))?;
        }
        return Ok(());
    }
    let mut message = format!(
        "task {} failed: {}",
        result.task_id,
        result.error.as_deref().unwrap_or(result.state.name())
    );
    if let Some(traceback) = &result.traceback {
        message = format!("{message}\n{traceback}");
    }
    Err(CommandError::Failed(printable(&message)).into())
}

fn not_ended(task: &NotEnded, output: Output, what: &str) -> anyhow::Result<()> {
    if output.is_json() {
        output.value(task, |_| String::new())?;
    }
    let state = match task.state {
        Some(state) => format!("its state is {}", state.name()),
        None => "its state is not known: it has not started, never existed, ended too long ago, or its result is not kept (`ignore_result`)"
            .into(),
    };
    Err(CommandError::NotEnded(format!("task {} {what}; {state}", task.task_id)).into())
}
