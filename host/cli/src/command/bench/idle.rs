//! What workers cost while there is nothing to do.

use std::time::Duration;

use super::report::{Report, Unit};
use super::{Bench, process};

/// A multiple of the heartbeat interval, since heartbeats are most of an idle worker's commands.
const WINDOW: Duration = Duration::from_secs(10);
/// The time from the first heartbeat until the worker is at rest.
const REST: Duration = Duration::from_secs(1);

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut workers = bench.fleet.start(&bench.crew(&bench.queue))?;
    workers.ready(&*bench.connected.results).await?;
    tokio::time::sleep(REST).await;
    let pids = workers.pids();
    let cpu = process::cpu(&pids);
    let before = match &bench.probe {
        Some(probe) => Some(probe.work().await?),
        None => None,
    };
    tokio::time::sleep(WINDOW).await;
    let seconds = WINDOW.as_secs_f64();
    if let (Some(probe), Some(before)) = (&bench.probe, before) {
        let commands = probe.work().await?.commands - before.commands;
        report.add(
            "idle_redis_commands",
            Unit::PerSecond,
            commands as f64 / seconds,
        );
    }
    let spent = process::cpu(&pids)
        .zip(cpu)
        .map(|(after, before)| after.saturating_sub(before));
    let share = spent.map(|spent| spent.as_secs_f64() / seconds * 100.0);
    report.add_some("idle_cpu", Unit::PercentOfCore, share);
    report.add_some("idle_memory", Unit::Mebibytes, process::memory(&pids));
    report.add_some(
        "idle_own_memory",
        Unit::Mebibytes,
        process::own_memory(&pids),
    );
    workers.stop().await
}
