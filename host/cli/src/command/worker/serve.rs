//! One worker in this process: sandbox, modules, broker, then serve until a signal.
//!
//! Puts together what `chicory-worker` needs. Must not know its duties.

use std::process::ExitCode;
use std::sync::Arc;

use chicory_admin::Admin;
use chicory_queue::{BrokerConfig, SystemClock};
use chicory_runtime::{HOST_FLOOR, Sandbox, SandboxConfig};
use chicory_signature::with_causes;
use chicory_worker::{
    Catalog, LoadReport, ModuleDir, Refusal, Stop, Summary, Worker, WorkerConfig,
};
use tokio_util::task::AbortOnDropHandle;

use super::super::compile;
use super::fleet;
use super::signals::StopSignals;
use crate::caution;
use crate::config::{Config, WorkerSettings};
use crate::connect;
use crate::exit::CommandError;

/// The sandbox that the settings describe.
pub(crate) fn sandbox(settings: &WorkerSettings) -> anyhow::Result<Sandbox> {
    Ok(Sandbox::new(SandboxConfig {
        concurrency: settings.concurrency,
        process_memory: settings.process_memory,
        ..compile::sandbox(settings)?
    })?)
}

/// Modules that are ready, and the folder that they came from.
pub(crate) struct Loaded {
    /// None where there is no folder.
    pub(crate) dir: Option<ModuleDir>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) report: LoadReport,
}

/// Loads the folder's modules, where there is one. What is refused is in the report.
pub(crate) async fn load(config: &Config, sandbox: Sandbox) -> anyhow::Result<Loaded> {
    let settings = &config.worker;
    let catalog = Catalog::new(sandbox);
    if !settings.modules_named && !settings.modules.is_dir() {
        return Ok(Loaded {
            dir: None,
            catalog,
            report: LoadReport::default(),
        });
    }
    let dir = ModuleDir::new(
        &settings.modules,
        Arc::clone(&catalog),
        config.admission.clone(),
    );
    load_from(dir, catalog).await
}

/// Loads the modules of a folder, which must exist.
pub(crate) async fn load_from(mut dir: ModuleDir, catalog: Arc<Catalog>) -> anyhow::Result<Loaded> {
    let report = dir
        .refresh()
        .await
        .map_err(|error| CommandError::Usage(format!("{error}; set it with --modules")))?;
    for Refusal { file, reason } in &report.refused {
        let reason = with_causes(reason);
        tracing::warn!(file = %file.display(), %reason, "refused a module");
    }
    Ok(Loaded {
        dir: Some(dir),
        catalog,
        report,
    })
}

impl Loaded {
    /// The error where there is nothing to serve.
    pub(crate) fn nothing(&self, settings: &WorkerSettings) -> CommandError {
        let shown = settings.modules.display();
        CommandError::Usage(match self.report.refused.first() {
            None => format!(
                "no module in {shown}: put .wasm files there, or choose another folder with --modules"
            ),
            Some(Refusal { file, reason }) => format!(
                "no module in {shown} can be used; the first of {}, {}: {}",
                self.report.refused.len(),
                file.display(),
                with_causes(reason)
            ),
        })
    }
}

/// The settings in the worker's own form.
pub(crate) fn worker_config(config: &Config, broker: &BrokerConfig) -> WorkerConfig {
    let worker = &config.worker;
    let defaults = WorkerConfig::default();
    WorkerConfig {
        worker_id: defaults.worker_id,
        queues: worker.queues.clone(),
        concurrency: worker.concurrency,
        threads: worker.threads,
        delivery_mode: config.delivery_mode,
        dead_letters: worker.dead_letters,
        max_deliveries: worker.max_deliveries,
        block: match broker {
            BrokerConfig::Redis(redis, _) => redis.block,
            BrokerConfig::Sqlite(_) => defaults.block,
        },
        heartbeat_interval: worker.heartbeat_interval,
        heartbeat_ttl: worker.heartbeat_ttl,
        cleanup_interval: worker.cleanup_interval,
        stale_workers_timeout: worker.stale_workers_timeout,
        shutdown_timeout: worker.shutdown_timeout,
    }
}

/// Serves until the first signal, then drains; the second one stops at once.
pub(super) async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen()?;
    let settled = tokio::select! {
        prepared = prepare(config) => prepared?,
        () = signals.next() => {
            tracing::info!("stopped before it started");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (worker, dir) = settled;
    let watching = dir.map(|dir| AbortOnDropHandle::new(tokio::spawn(dir.watch())));
    let stop = Stop::new();
    let stopping = tokio::spawn(stop_at_signals(signals, stop.clone()));
    let summary = worker.run(stop).await?;
    drop(watching);
    stopping.abort();
    say_stopped(summary);
    Ok(ExitCode::SUCCESS)
}

/// The last line.
fn say_stopped(summary: Summary) {
    let Summary {
        processed,
        failed,
        released,
        unsettled,
    } = summary;
    if unsettled == 0 {
        tracing::info!(processed, failed, released, unsettled, "stopped");
    } else {
        tracing::warn!(
            processed,
            failed,
            released,
            unsettled,
            "stopped; the broker did not take what became of some tasks: their leases expire, and they run again"
        );
    }
}

async fn prepare(config: &Config) -> anyhow::Result<(Worker, Option<ModuleDir>)> {
    let sandbox = sandbox(&config.worker)?;
    let found = sandbox.describe();
    let loaded = load(config, sandbox).await?;
    let connected = connect::patiently(&config.broker).await?;
    caution::log(&Admin::new(connected.clone(), Arc::new(SystemClock))).await;
    let settings = worker_config(config, &config.broker);
    let fleet = fleet::join(config, &settings, &connected, &loaded.catalog).await;
    if loaded.catalog.task_names().is_empty() {
        if config.worker.modules_named {
            return Err(loaded.nothing(&config.worker).into());
        }
        tracing::info!("no module yet: waiting for `chicory deploy`");
    }
    announce(config, &settings, &loaded, &found);
    let worker = Worker::new(connected, loaded.catalog, settings).in_fleet(fleet);
    Ok((worker, loaded.dir))
}

fn announce(config: &Config, settings: &WorkerConfig, loaded: &Loaded, sandbox: &str) {
    tracing::info!(
        worker = %settings.worker_id,
        broker = %connect::place(&config.broker),
        results = %connect::results_place(&config.broker),
        queues = %settings.queues.join(","),
        concurrency = settings.concurrency,
        threads = settings.threads,
        delivery_mode = ?settings.delivery_mode,
        dead_letters = settings.dead_letters,
        "chicory {} worker",
        env!("CARGO_PKG_VERSION"),
    );
    tracing::info!(%sandbox, "sandbox");
    let most = settings.concurrency as u64 * (config.worker.max_memory + HOST_FLOOR);
    if let Some(bound) = config.worker.process_memory.filter(|bound| *bound < most) {
        tracing::info!(
            process_memory = bound,
            all_tasks = most,
            "all tasks together may be allowed more memory than this process should have; the largest end first, as \
             OutOfMemory, when it runs short"
        );
    }
    let (local, tasks) = (&loaded.report.loaded, loaded.catalog.task_names());
    let deployed = loaded.catalog.deployed();
    tracing::info!(
        modules = %local.iter().chain(&deployed).map(String::as_str).collect::<Vec<_>>().join(","),
        tasks = %tasks.join(","),
        "serving {} modules from {}, and {} deployed modules",
        local.len(),
        config.worker.modules.display(),
        deployed.len(),
    );
}

async fn stop_at_signals(mut signals: StopSignals, stop: Stop) {
    signals.next().await;
    tracing::info!(
        "draining: no new tasks start, running tasks may end; a second signal stops at once"
    );
    stop.drain();
    signals.next().await;
    tracing::info!("stopping at once: running tasks go back to their queues");
    stop.now();
}
