//! Delayed tasks: how late they start while many others wait, and how fast many due at once become ready.
//!
//! The task itself reads the clock at its start, on the same machine, so the lateness includes everything.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chicory_queue::{TaskMessage, TaskState, Timestamp};

use super::enqueue::{Batch, CHUNK};
use super::fleet::Crew;
use super::latency::{Times, warm_up};
use super::report::{Report, Unit};
use super::{Bench, guests};

/// The others are due after an hour, spread over a day.
const LATER: Duration = Duration::from_hours(1);
const SPREAD: Duration = Duration::from_hours(24);
/// The delay of the first sample, and the time between samples.
const SOON: Duration = Duration::from_secs(1);
const PACE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    wait_later(bench).await?;
    let mut workers = bench.fleet.start(&bench.crew(&bench.queue))?;
    workers.ready(&*bench.connected.results).await?;
    warm_up(bench).await?;
    let late = lateness(bench).await?;
    workers.stop().await?;
    report.add("start_late_p50", Unit::Milliseconds, late.at(0.5));
    report.add("start_late_p99", Unit::Milliseconds, late.at(0.99));
    report.add("promote", Unit::PerSecond, promotion(bench).await?);
    Ok(())
}

fn due(mut message: TaskMessage, at: Timestamp) -> TaskMessage {
    message.eta = Some(at);
    message
}

/// Enqueues the tasks that only wait.
async fn wait_later(bench: &Bench) -> anyhow::Result<()> {
    let (first, tasks) = (Timestamp::now().after(LATER), bench.args.backlog);
    let at = |number: usize| first.after(SPREAD.mul_f64(number as f64 / tasks as f64));
    let batch = Batch {
        queue: &bench.queue,
        tasks,
        chunk: CHUNK,
        message: &|number| due(guests::add(guests::ADD, number), at(number)),
    };
    batch.send(bench).await.map(drop)
}

async fn lateness(bench: &Bench) -> anyhow::Result<Times> {
    let first = Timestamp::now().after(SOON);
    let at = |number: usize| {
        let steps = u32::try_from(number).unwrap_or(u32::MAX);
        first.after(PACE.saturating_mul(steps))
    };
    let batch = Batch {
        queue: &bench.queue,
        tasks: bench.args.samples,
        chunk: CHUNK,
        message: &|number| due(guests::clock(), at(number)),
    };
    let ids = batch.send(bench).await?;
    let mut late = Times::new()?;
    for (number, id) in ids.iter().enumerate() {
        let waited = bench.connected.results.wait(id, Some(PATIENCE)).await?;
        let result = waited.with_context(|| format!("no result after {PATIENCE:?}"))?;
        let started = result.result.as_ref().and_then(serde_json::Value::as_i64);
        let started = started
            .filter(|_| result.state == TaskState::Success)
            .with_context(|| format!("a delayed task had an unexpected outcome: {result:?}"))?;
        let (due, started) = (at(number), Timestamp::from_micros(started));
        ensure!(started >= due, "a task due at {due} started at {started}");
        late.record(started.since(due))?;
    }
    Ok(late)
}

/// Messages per second that become ready, with a worker that runs one task at a time meanwhile.
async fn promotion(bench: &Bench) -> anyhow::Result<f64> {
    let queue = bench.further_queue("due");
    let tasks = (bench.args.backlog / 10).max(1);
    // Enough time to enqueue all of them before they are due.
    let due_at = Timestamp::now().after(Duration::from_secs_f64(2.0 + tasks as f64 / 20_000.0));
    let batch = Batch {
        queue: &queue,
        tasks,
        chunk: CHUNK,
        message: &|number| due(guests::add(guests::ADD, number), due_at),
    };
    batch.send(bench).await?;
    let crew = Crew {
        processes: 1,
        concurrency: 1,
        ..bench.crew(&queue)
    };
    let mut workers = bench.fleet.start(&crew)?;
    workers.ready(&*bench.connected.results).await?;
    let early = due_at.since(Timestamp::now());
    ensure!(
        !early.is_zero(),
        "the tasks were due before all of them were enqueued; use a smaller --backlog"
    );
    tokio::time::sleep(early).await;
    let begun = Instant::now();
    while bench.connected.inspect.stats(&queue).await?.delayed > 0 {
        ensure!(
            begun.elapsed() < PATIENCE,
            "some are still delayed after {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(tasks as f64 / begun.elapsed().as_secs_f64())
}
