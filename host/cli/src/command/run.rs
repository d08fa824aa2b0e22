//! `chicory run`: one call of a module's task, without any broker, for writing and debugging it.
//!
//! Must not know messages: a task runs as on a worker, but is not retried.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use chicory_runtime::{Ended, How, Invocation, LogSource, Module, Note, Task};
use chicory_signature::{LocalName, TaskName, UnknownTask};
use clap::Args;
use serde_json::json;

use super::call::CallArgs;
use super::{Context, module};
use crate::exit::CommandError;
use crate::oci::{self, OciArgs};
use crate::output::{Output, tell, write_result};

/// Flags of `chicory run`.
#[derive(Debug, Args)]
#[command(after_help = "\
The manifest next to FILE (NAME.toml) applies as it does on a worker. The result goes to standard \
output; the task's log and its resource usage go to standard error.

Examples:
  chicory run demo.wasm add 1 2
  chicory run wordcount.wasm run --kwargs '{\"stdin\": \"to be or not to be\"}'
  chicory run tool.wasm run --env MODE=fast -- --flag-of-the-task")]
pub(crate) struct RunArgs {
    /// Module file or oci:// address: a component, or a core module that can be wrapped as one
    file: PathBuf,
    /// Task name inside the module: function, or interface.function
    task: String,
    #[command(flatten)]
    call: CallArgs,
    #[command(flatten)]
    oci: OciArgs,
    /// Environment variable for the guest, as if the manifest granted it; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?}: give NAME=VALUE")),
    }
}

/// Runs the task; if it fails, the command fails.
pub(crate) async fn run(args: RunArgs, context: &Context) -> anyhow::Result<()> {
    let sandbox = module::sandbox_with_source_lines(&context.config)?;
    let found = oci::module(&args.file, args.oci.plain_http).await?;
    let mut request = module::read(&found.path)?.request;
    request.settings.grants.env.extend(args.env);
    let module = sandbox.load(request).await.context(found.shown)?;
    let task = find(&module, &args.task)?;
    let mut invocation = Invocation::new(task, args.call.arguments()?);
    invocation.context.id = "run".into();
    if !context.output.is_json() {
        invocation.observer = Some(Arc::new(|note| say(&note)));
    }
    let ended = sandbox.run(invocation).await;
    show(&ended, context.output)
}

/// The task of this name, which may start with the module's.
fn find(module: &Module, name: &str) -> Result<Arc<Task>, CommandError> {
    let inside = || TaskName::parse(name).ok()?.inside(module.name());
    let task = module
        .task(name)
        .or_else(|| module.task(inside()?.as_str()));
    task.cloned().ok_or_else(|| {
        let name = inside().map_or(name, LocalName::as_str);
        let names: Vec<&str> = module.tasks().map(|task| task.full_name()).collect();
        let unknown = UnknownTask::no_task(module.name(), name, names.iter().copied());
        CommandError::Usage(unknown.to_string())
    })
}

fn say(note: &Note) {
    match note {
        Note::Log(line) => match line.source {
            LogSource::Guest => tell(&format!(
                "{:<5} {}",
                format!("{:?}", line.level).to_uppercase(),
                line.message
            )),
            LogSource::Stdout | LogSource::Stderr | LogSource::Host => tell(&line.message),
        },
        Note::Progress { percent, message } => {
            let message = message.as_deref().unwrap_or_default();
            tell(&format!("{percent:>4.0} % {message}"));
        }
    }
}

fn show(ended: &Ended, output: Output) -> anyhow::Result<()> {
    let error = ended
        .how
        .error_name()
        .map(|name| format!("{name}: {}", ended.how.message()));
    let result = match &ended.how {
        How::Returned(result) => serde_json::from_str(result.get())?,
        _ => serde_json::Value::Null,
    };
    if output.is_json() {
        let body = json!({
            "result": result, "error": error, "usage": ended.usage, "log": ended.log,
        });
        output.value(&body, |_| String::new())?;
    } else {
        if error.is_none() {
            write_result(&result)?;
        }
        tell(&used(ended));
    }
    match error {
        None => Ok(()),
        Some(error) => Err(CommandError::Failed(error).into()),
    }
}

fn used(ended: &Ended) -> String {
    let usage = &ended.usage;
    let fuel = usage
        .fuel
        .map_or_else(String::new, |fuel| format!(", fuel {fuel}"));
    format!(
        "took {:.3?}, cpu {:.3?}, peak memory {} KiB and {} KiB held by the host{fuel}",
        usage.wall,
        usage.cpu,
        usage.peak_memory.div_ceil(1024),
        usage.host_memory.div_ceil(1024),
    )
}
