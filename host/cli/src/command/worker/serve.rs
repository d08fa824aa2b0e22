//! One worker in this process: sandbox, modules, broker, then serve until a signal.
//!
//! Puts together what `chicory-worker` needs. Must not know its duties.

use std::process::ExitCode;
use std::sync::Arc;

use chicory_queue::{BrokerConfig, Connected, SystemClock};
use chicory_runtime::{Sandbox, SandboxConfig};
use chicory_worker::{Catalog, LoadReport, ModuleDir, Stop, Worker, WorkerConfig};

use super::super::compile;
use super::signals::StopSignals;
use crate::config::{Config, WorkerSettings};
use crate::connect;
use crate::exit::CommandError;

/// The sandbox that the settings describe.
pub(crate) fn sandbox(settings: &WorkerSettings) -> anyhow::Result<Sandbox> {
    Ok(Sandbox::new(SandboxConfig {
        concurrency: settings.concurrency,
        ..compile::sandbox(settings)?
    })?)
}

/// Modules that are ready, and the folder they came from.
pub(crate) struct Loaded {
    pub(crate) dir: ModuleDir,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) report: LoadReport,
}

/// Loads the folder's modules. One that is refused is in the report; none at all is an error.
pub(crate) async fn load(settings: &WorkerSettings, sandbox: Sandbox) -> anyhow::Result<Loaded> {
    let catalog = Catalog::new(sandbox);
    let mut dir = ModuleDir::new(&settings.modules, Arc::clone(&catalog));
    let shown = settings.modules.display();
    let report = dir
        .refresh()
        .await
        .map_err(|error| CommandError::Usage(format!("{error}; name it by --modules")))?;
    for (file, reason) in &report.refused {
        tracing::warn!(%file, %reason, "refused a module");
    }
    if !report.loaded.is_empty() {
        return Ok(Loaded {
            dir,
            catalog,
            report,
        });
    }
    let message = match report.refused.first() {
        None => format!(
            "no module in {shown}: put .wasm files there, or name another folder by --modules"
        ),
        Some((file, reason)) => format!(
            "no module in {shown} can be used; the first of {}, {file}: {reason}",
            report.refused.len()
        ),
    };
    Err(CommandError::Usage(message).into())
}

/// The settings as the worker takes them.
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
        lease: broker.lease(),
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
            tracing::info!("stopped before it had started");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (worker, dir) = settled;
    let watching = tokio::spawn(dir.watch());
    let stop = Stop::new();
    let stopping = tokio::spawn(stop_at_signals(signals, stop.clone()));
    let summary = worker.run(stop).await?;
    watching.abort();
    stopping.abort();
    tracing::info!(
        processed = summary.processed,
        failed = summary.failed,
        released = summary.released,
        "stopped"
    );
    Ok(ExitCode::SUCCESS)
}

async fn prepare(config: &Config) -> anyhow::Result<(Worker, ModuleDir)> {
    let sandbox = sandbox(&config.worker)?;
    let found = sandbox.describe();
    let loaded = load(&config.worker, sandbox.clone()).await?;
    let connected = connect::patiently(&config.broker).await?;
    let settings = worker_config(config, &config.broker);
    announce(config, &settings, &loaded, &found);
    let worker = assemble(connected, sandbox, loaded.catalog, settings);
    Ok((worker, loaded.dir))
}

/// A worker whose tasks run in `sandbox`.
pub(crate) fn assemble(
    connected: Connected,
    sandbox: Sandbox,
    catalog: Arc<Catalog>,
    settings: WorkerConfig,
) -> Worker {
    Worker::new(
        connected,
        Arc::new(sandbox),
        catalog,
        Arc::new(SystemClock),
        settings,
    )
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
    tracing::info!(
        modules = %loaded.report.loaded.join(","),
        tasks = %loaded.catalog.task_names().join(","),
        "serving {} modules from {}",
        loaded.report.loaded.len(),
        config.worker.modules.display(),
    );
}

async fn stop_at_signals(mut signals: StopSignals, stop: Stop) {
    signals.next().await;
    tracing::info!(
        "draining: running tasks may end, no new ones start; a second signal stops at once"
    );
    stop.drain();
    signals.next().await;
    tracing::info!("stopping at once: running tasks go back to their queues");
    stop.now();
}
