//! `chicory demo`: the whole of Chicory in a few seconds, on the embedded broker or on Redis.
//!
//! A worker in this process runs the tasks of `examples/`: successes, retries, a dead letter, a delay, an endless loop,
//! a memory bomb; then the dead letter is replayed. The exit code is 0 only if every outcome is the expected one. Must
//! not leave anything behind on the user's broker.

mod cases;
mod observe;
mod report;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{
    BrokerConfig, Connected, DeadLetterRange, ReplayOptions, SqliteConfig, TaskMessage, TenantName,
    Timestamp,
};
use chicory_signature::with_causes;
use chicory_worker::{
    Admission, Catalog, EventChannel, ModuleDir, Stop, Worker, WorkerConfig, WorkerEvent,
};
use clap::Args;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Context;
use super::worker::serve;
use crate::config::FlagValue;
use crate::connect;
use crate::exit::CommandError;
use crate::output::write_line;
use cases::Case;
use report::Row;

/// Flags of `chicory demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --broker, the demo needs no server: it uses the embedded broker in a temporary folder. With \
--broker redis://…, it uses its own keys and removes them at the end.

Example: chicory demo --modules target/guests/examples")]
pub(crate) struct DemoArgs {
    /// Folder with the example modules, as built by scripts/guests
    #[arg(long, short, value_name = "DIR")]
    modules: Option<PathBuf>,
}

impl DemoArgs {
    /// The settings among the flags.
    pub(crate) fn settings(&self) -> Vec<FlagValue> {
        let modules = self.modules.as_ref();
        modules
            .map(|dir| ("worker.modules", "--modules", dir.display().to_string()))
            .into_iter()
            .collect()
    }
}

/// The demo's broker and queue.
struct Stage {
    connected: Connected,
    broker: BrokerConfig,
    queue: String,
    /// Keeps the embedded broker's folder until the end.
    _folder: Option<tempfile::TempDir>,
}

/// Runs the demo. `named` says that the broker was given by a flag.
pub(crate) async fn run(context: &Context, named: bool) -> anyhow::Result<ExitCode> {
    let settings = &context.config.worker;
    say(
        context,
        &format!("loading modules from {}", settings.modules.display()),
    )?;
    let sandbox = serve::sandbox(settings)?;
    let cases = cases::all();
    let catalog = Catalog::new(sandbox.clone());
    // Compiling a language's engine takes most of a minute, so modules that the demo doesn't use are left out.
    let own_code = Admission::of_own_code(context.config.admission.trust.clone());
    let dir = ModuleDir::new(&settings.modules, Arc::clone(&catalog), own_code)
        .only(cases.iter().map(Case::module));
    let loaded = serve::load_from(dir, catalog).await?;
    if loaded.report.loaded.is_empty() {
        return Err(loaded.nothing(settings).into());
    }
    check_deployed(&cases, &loaded)?;
    let stage = Stage::set(context, named).await?;
    let worker = serve::worker_config(&context.config, &stage.broker);
    let worker = WorkerConfig {
        queues: vec![stage.queue.clone()],
        dead_letters: true,
        ..worker
    };
    say(
        context,
        &format!(
            "a worker serves {} modules on {}; {}",
            loaded.report.loaded.len(),
            connect::place(&stage.broker),
            sandbox.describe()
        ),
    )?;
    let (observer, mut events) = EventChannel::new();
    let worker = Worker::new(stage.connected.clone(), loaded.catalog, worker)
        .observed_by(Arc::new(observer));
    let stop = Stop::new();
    let serving = tokio::spawn(worker.run(stop.clone()));
    let played = stage.play(&cases, &mut events, context).await;
    stop.drain();
    serving.await??;
    let ids = played
        .as_ref()
        .map_or_else(|_| Vec::new(), |(_, ids)| ids.clone());
    if named {
        stage.clear(&ids).await?;
    }
    finish(&played?.0, context)
}

/// Every case needs its module.
fn check_deployed(cases: &[Case], loaded: &serve::Loaded) -> Result<(), CommandError> {
    let missing = cases.iter().find_map(|case| {
        let message = TaskMessage::new(case.task);
        let reason = loaded
            .catalog
            .resolve(&TenantName::default(), &message)
            .err()?;
        Some((case, reason))
    });
    let Some((case, reason)) = missing else {
        return Ok(());
    };
    let reason = match loaded.report.refused.first() {
        Some(refusal) => format!(
            "{} was refused: {}",
            refusal.file.display(),
            with_causes(&refusal.reason)
        ),
        None => reason.to_string(),
    };
    Err(CommandError::Usage(format!(
        "the task {} is missing: {reason}; `scripts/guests examples` builds the modules",
        case.task
    )))
}

fn say(context: &Context, text: &str) -> anyhow::Result<()> {
    if context.output.is_json() {
        return Ok(());
    }
    write_line(text)
}

/// The outcome of all tasks, and of the dead letter's replay.
struct Played {
    rows: Vec<Row>,
    replayed: Row,
}

impl Stage {
    /// A broker, and a queue of the demo's own on it.
    async fn set(context: &Context, named: bool) -> anyhow::Result<Self> {
        let unique = format!("demo-{}", uuid::Uuid::new_v4().simple());
        let (broker, folder) = if named {
            (apart(context.config.broker.clone(), &unique), None)
        } else {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("demo.db");
            (BrokerConfig::Sqlite(SqliteConfig::new(path)), Some(folder))
        };
        let stage = Self {
            connected: connect::once(&broker).await?,
            queue: unique,
            broker,
            _folder: folder,
        };
        Ok(stage)
    }

    /// Enqueues everything, waits for all outcomes, then replays the dead letter.
    async fn play(
        &self,
        cases: &[Case],
        events: &mut UnboundedReceiver<WorkerEvent>,
        context: &Context,
    ) -> anyhow::Result<(Played, Vec<String>)> {
        let now = Timestamp::now();
        let begun = Instant::now();
        let messages: Vec<_> = cases.iter().map(|case| case.message(now)).collect();
        self.connected
            .broker
            .enqueue(&self.queue, &messages)
            .await?;
        say(
            context,
            &format!(
                "enqueued {} messages in queue {}\n",
                messages.len(),
                self.queue
            ),
        )?;
        let ids = messages.into_iter().map(|message| message.id.into());
        let ids: Vec<String> = ids.collect();
        let ends = observe::until_ended(events, &ids, begun, context.output).await?;
        let mut rows = Vec::new();
        for (case, id) in cases.iter().zip(&ids) {
            let stored = self.connected.results.result(id).await?;
            rows.push(Row::new(case, id, ends.get(id), stored.as_ref()));
        }
        if !context.output.is_json() {
            write_line(&format!("\n{}\n", report::human(&rows)))?;
        }
        let replayed = self.replay(cases, &ids, events, context).await?;
        Ok((Played { rows, replayed }, ids))
    }

    async fn replay(
        &self,
        cases: &[Case],
        ids: &[String],
        events: &mut UnboundedReceiver<WorkerEvent>,
        context: &Context,
    ) -> anyhow::Result<Row> {
        let found = cases
            .iter()
            .zip(ids)
            .find(|(case, _)| case.task == cases::REPLAYED);
        let Some((case, id)) = found else {
            unreachable!("{} is among the cases", cases::REPLAYED)
        };
        let inspect = &self.connected.inspect;
        let letters = inspect
            .dead_letters(&self.queue, DeadLetterRange::default())
            .await?;
        say(
            context,
            &format!(
                "replaying one of {} dead letters, {}, with its retries reset\n",
                letters.len(),
                case.task
            ),
        )?;
        let begun = Instant::now();
        let options = ReplayOptions {
            reset_retries: true,
        };
        let replayed = inspect.replay(&self.queue, id, options).await?;
        anyhow::ensure!(replayed, "the dead letter of {} is missing", case.task);
        let id = std::slice::from_ref(id);
        let ends = observe::until_ended(events, id, begun, context.output).await?;
        let stored = self.connected.results.result(&id[0]).await?;
        let row = Row::new(case, &id[0], ends.get(&id[0]), stored.as_ref());
        if !context.output.is_json() {
            write_line(&format!(
                "\n{}\n",
                report::human(std::slice::from_ref(&row))
            ))?;
        }
        Ok(row)
    }

    /// Removes what the demo left on the user's broker.
    async fn clear(&self, ids: &[String]) -> anyhow::Result<()> {
        self.connected.inspect.purge(&self.queue).await?;
        self.connected
            .inspect
            .purge_dead_letters(&self.queue)
            .await?;
        for id in ids {
            self.connected.results.delete(id).await?;
        }
        if let BrokerConfig::Redis(redis, _) = &self.broker {
            sweep::sweep(redis).await?;
        }
        Ok(())
    }
}

/// The same broker with separate keys. Results expire soon, in case the demo is killed.
fn apart(broker: BrokerConfig, unique: &str) -> BrokerConfig {
    match broker {
        BrokerConfig::Redis(mut redis, mut results) => {
            redis.key_prefix = format!("{}-{unique}", redis.key_prefix);
            results.key_prefix.clone_from(&redis.key_prefix);
            results.ttl = Duration::from_mins(10);
            BrokerConfig::Redis(redis, results)
        }
        sqlite @ BrokerConfig::Sqlite(_) => sqlite,
    }
}

fn finish(played: &Played, context: &Context) -> anyhow::Result<ExitCode> {
    let wrong = played
        .rows
        .iter()
        .chain([&played.replayed])
        .filter(|row| !row.as_expected())
        .count();
    let body = json!({ "tasks": played.rows, "replayed": played.replayed, "ok": wrong == 0 });
    context.output.value(&body, |_| match wrong {
        0 => "every task ended as expected".into(),
        _ => String::new(),
    })?;
    match wrong {
        0 => Ok(ExitCode::SUCCESS),
        _ => Err(CommandError::Failed(format!("{wrong} tasks did not end as expected")).into()),
    }
}
