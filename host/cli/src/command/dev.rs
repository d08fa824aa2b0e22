//! `chicory dev`: a worker for one project in this process, with a broker in a file, that rebuilds and reloads at every
//! change of the source.
//!
//! Must not know how a project is built, nor how events are shown.

mod say;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use chicory_project::{BuildRequest, Changes, Project, watch};
use chicory_queue::{BrokerConfig, Connected, SqliteConfig};
use chicory_runtime::{Sandbox, SandboxConfig};
use chicory_signature::with_causes;
use chicory_worker::{
    Admission, Catalog, EventChannel, ModuleDir, Stop, Worker, WorkerConfig, WorkerEvent,
};
use clap::Args;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Context;
use super::build::{made, relative};
use super::compile;
use super::worker::{serve, signals::StopSignals};
use crate::output::{tell, write_line};
use crate::{connect, exit};

/// Flags of `chicory dev`.
#[derive(Debug, Args)]
#[command(after_help = "\
The queue is in DIR/.chicory/dev.db and needs no server. The command that enqueues tasks from \
another terminal is printed at the start. If a build fails, the previous version keeps running. \
Ctrl-C stops.

Example: chicory dev word-count")]
pub(crate) struct DevArgs {
    /// Project folder [default: the current folder]
    #[arg(default_value = ".", hide_default_value = true)]
    dir: PathBuf,
}

/// Serves until Ctrl-C.
pub(crate) async fn run(args: DevArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen()?;
    let project = Project::find(&args.dir)?;
    let mut changes = watch(&project.root)?;
    let folder = project.root.join(".chicory");
    std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let database = folder.join("dev.db");
    let broker = BrokerConfig::Sqlite(SqliteConfig::new(database.clone()));
    let sandbox = sandbox(context)?;
    let catalog = Catalog::new(sandbox.clone());
    let built = project.module();
    let modules = built.parent().context("a module is in a folder")?;
    std::fs::create_dir_all(modules)?;
    let own_code = Admission::of_own_code(context.config.admission.trust.clone());
    let mut loader = Loader {
        dir: ModuleDir::new(modules, catalog.clone(), own_code),
        project,
    };
    let connected = connect::once(&broker).await?;
    let settings = WorkerConfig {
        dead_letters: true,
        ..serve::worker_config(&context.config, &broker)
    };
    let (observer, mut events) = EventChannel::new();
    let worker =
        Worker::new(connected.clone(), catalog.clone(), settings).observed_by(Arc::new(observer));
    tokio::select! {
        () = loader.reload(true) => {}
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    }
    write_line(&format!(
        "\nwatching {}; from another terminal:\n  chicory enqueue --broker sqlite:{} {} …\n",
        loader.project.root.display(),
        relative(&database).display(),
        catalog
            .task_names()
            .first()
            .map_or("MODULE.TASK", String::as_str),
    ))?;
    let stop = Stop::new();
    let serving = tokio::spawn(worker.run(stop.clone()));
    follow(
        &mut loader,
        &mut events,
        &mut changes,
        &connected,
        &mut signals,
    )
    .await?;
    stop.drain();
    tokio::select! {
        summary = serving => drop(summary??),
        () = signals.next() => stop.now(),
    }
    write_line("stopped")?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what tasks do, and reloads at every change, until a signal.
async fn follow(
    loader: &mut Loader,
    events: &mut UnboundedReceiver<WorkerEvent>,
    changes: &mut Changes,
    connected: &Connected,
    signals: &mut StopSignals,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            event = events.recv() => show(event, connected).await?,
            () = changes.changed() => {
                // Events of tasks wait in the channel meanwhile.
                tokio::select! {
                    () = loader.reload(false) => {}
                    () = signals.next() => return Ok(()),
                }
            }
            () = signals.next() => return Ok(()),
        }
    }
}

/// A sandbox for the developer's own code: a trap's backtrace has files and lines.
fn sandbox(context: &Context) -> anyhow::Result<Sandbox> {
    let worker = &context.config.worker;
    Ok(Sandbox::new(SandboxConfig {
        concurrency: worker.concurrency,
        source_lines: true,
        ..compile::sandbox(worker)?
    })?)
}

/// Builds the project and loads the module.
struct Loader {
    dir: ModuleDir,
    project: Project,
}

impl Loader {
    /// Builds and loads, and reports the outcome. After a failure, the previous version keeps running.
    async fn reload(&mut self, first: bool) {
        let begun = Instant::now();
        let request = BuildRequest {
            quiet: !first,
            debug: true,
            ..BuildRequest::default()
        };
        let outcome = match made(self.project.clone(), request).await {
            Err(error) => Err(exit::text(&error)),
            Ok(_) => match self.dir.refresh().await {
                Err(error) => Err(error.to_string()),
                Ok(report) => match report.refused.first() {
                    Some(refusal) => Err(with_causes(&refusal.reason)),
                    None => Ok(!report.loaded.is_empty()),
                },
            },
        };
        let seconds = begun.elapsed().as_secs_f64();
        let name = &self.project.name;
        tell(&match outcome {
            Ok(true) => format!("[dev] built and loaded {name} in {seconds:.2} s"),
            Ok(false) => format!("[dev] built {name}: nothing has changed"),
            Err(reason) => format!(
                "[dev] {reason}\n[dev] the previous version, if any, keeps running; change the source to try again"
            ),
        });
    }
}

async fn show(event: Option<WorkerEvent>, connected: &Connected) -> anyhow::Result<()> {
    match event {
        Some(WorkerEvent::Said(said)) => write_line(&say::said(&said)),
        Some(WorkerEvent::Ended(end)) => {
            let stored = connected.results.result(&end.task_id).await?;
            write_line(&say::ended(&end, stored.as_ref()))
        }
        Some(_) => Ok(()),
        None => anyhow::bail!("the worker has stopped unexpectedly"),
    }
}
