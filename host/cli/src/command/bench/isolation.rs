//! How a task that never ends affects others, and how late it is stopped.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chicory_queue::TaskState;

use super::Bench;
use super::guests::{self, LOOP_TIMEOUT};
use super::latency::{samples, warm_up};
use super::report::{Report, Unit};

/// The number of tasks without the loop, and of tasks next to it.
const TASKS: usize = 31;
/// The time between two tasks: all of them fit easily into the loop's time.
const PAUSE: Duration = Duration::from_millis(50);
/// The time from enqueueing the loop to the first task next to it.
const HEAD_START: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut workers = bench.fleet.start(&bench.crew(&bench.queue))?;
    workers.ready(&*bench.connected.results).await?;
    warm_up(bench).await?;
    let alone = samples(bench, TASKS, PAUSE).await?.at(0.5);
    let endless = guests::forever();
    let id = endless.id.clone();
    let batch = [endless];
    let begun = Instant::now();
    let sending = bench.connected.broker.enqueue(&bench.queue, &batch);
    sending.await?;
    tokio::time::sleep(HEAD_START).await;
    let beside = samples(bench, TASKS, PAUSE).await?.at(0.5);
    ensure!(
        begun.elapsed() < LOOP_TIMEOUT,
        "the loop ended before the tasks next to it"
    );
    let waited = bench.connected.results.wait(&id, Some(PATIENCE)).await?;
    let late = begun.elapsed().saturating_sub(LOOP_TIMEOUT);
    let result = waited.context("the endless loop was not stopped")?;
    let error = result.error.unwrap_or_default();
    ensure!(
        result.state == TaskState::Failure && error.starts_with("Timeout"),
        "the endless loop had an unexpected outcome: {error}"
    );
    workers.stop().await?;
    report.add("task_alone_p50", Unit::Milliseconds, alone);
    report.add("task_beside_loop_p50", Unit::Milliseconds, beside);
    report.add("task_beside_loop_ratio", Unit::Times, beside / alone);
    report.add(
        "loop_stop_late",
        Unit::Milliseconds,
        late.as_secs_f64() * 1e3,
    );
    Ok(())
}
