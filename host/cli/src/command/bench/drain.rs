//! How fast workers empty a full queue, and what that costs, from the first completion seen to the last.
//!
//! A completed message is deleted from its queue, so the sizes of queues count completions.

use std::time::{Duration, Instant};

use anyhow::ensure;
use chicory_queue::TaskState;

use super::fleet::{Crew, Workers};
use super::probe::Work;
use super::report::{Report, Unit};
use super::{Bench, enqueue, process};

/// The time between two looks at a queue.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_mins(10);
/// The number of results that are read back, spread over all tasks.
const CHECKED: usize = 200;

/// A drain's figures.
pub(super) struct Drained {
    /// Tasks per second.
    pub(super) rate: f64,
    /// CPU time of all workers per task, in µs.
    pub(super) worker_cpu: Option<f64>,
    /// CPU time of the Redis server per task, in µs.
    redis_cpu: Option<f64>,
    /// Redis commands per task, including those inside scripts.
    commands: Option<f64>,
    /// Peak memory of all workers, in MiB.
    peak_memory: Option<f64>,
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let ids = enqueue::fill(bench).await?;
    let workers = bench.fleet.start(&bench.crew(&bench.queue))?;
    let drained = drain(bench, std::slice::from_ref(&bench.queue), workers).await?;
    check_sums(bench, &ids).await?;
    report.add("drain", Unit::PerSecond, drained.rate);
    report.add_some("worker_cpu", Unit::MicrosecondsPerTask, drained.worker_cpu);
    report.add_some("redis_cpu", Unit::MicrosecondsPerTask, drained.redis_cpu);
    report.add_some("redis_commands", Unit::PerTask, drained.commands);
    report.add_some("peak_memory", Unit::Mebibytes, drained.peak_memory);
    Ok(())
}

/// Starts these workers on full queues, and waits until the queues are empty.
pub(super) async fn rate(bench: &Bench, crew: &Crew) -> anyhow::Result<f64> {
    let workers = bench.fleet.start(crew)?;
    Ok(drain(bench, &crew.queues, workers).await?.rate)
}

/// Waits until the workers have emptied the queues, and stops them.
pub(super) async fn drain(
    bench: &Bench,
    queues: &[String],
    mut workers: Workers,
) -> anyhow::Result<Drained> {
    let mut watch = Watch::new(bench, queues).await?;
    let drained = watch.until_empty(&mut workers).await?;
    workers.stop().await?;
    for queue in queues {
        let dead = bench.connected.inspect.stats(queue).await?.dead;
        ensure!(dead == 0, "{dead} of the benchmark's tasks failed");
    }
    Ok(drained)
}

/// Checks results of `add(number, 1)`.
async fn check_sums(bench: &Bench, ids: &[String]) -> anyhow::Result<()> {
    for number in (0..ids.len()).step_by(ids.len().div_ceil(CHECKED)) {
        let result = bench.connected.results.result(&ids[number]).await?;
        let right = result.as_ref().is_some_and(|result| {
            result.state == TaskState::Success && result.result == Some((number + 1).into())
        });
        ensure!(right, "the result of add({number}, 1) is {result:?}");
    }
    Ok(())
}

/// Looks at queues one at a time: once empty, a queue stays empty.
struct Watch<'a> {
    bench: &'a Bench,
    queues: &'a [String],
    /// Tasks at the start.
    all: u64,
    /// The number of commands that one look costs.
    price: u64,
    looks: u64,
}

/// The cost up to the first completion that was seen.
struct Start {
    at: Instant,
    left: u64,
    cpu: Option<Duration>,
    work: Option<Work>,
    looks: u64,
}

impl<'a> Watch<'a> {
    async fn new(bench: &'a Bench, queues: &'a [String]) -> anyhow::Result<Self> {
        let mut watch = Self {
            bench,
            queues,
            all: 0,
            price: 0,
            looks: 0,
        };
        watch.all = watch.left().await?;
        let before = watch.work().await?;
        watch.look(0).await?;
        let after = watch.work().await?;
        if let (Some(before), Some(after)) = (before, after) {
            watch.price = after.commands - before.commands;
        }
        Ok(watch)
    }

    async fn until_empty(&mut self, workers: &mut Workers) -> anyhow::Result<Drained> {
        let pids = workers.pids();
        let start = self.first_completion(workers).await?;
        let deadline = Instant::now() + PATIENCE;
        let mut queue = 0;
        while queue < self.queues.len() {
            let size = self.look(queue).await?;
            if size == 0 {
                queue += 1;
                continue;
            }
            workers.check()?;
            ensure!(
                Instant::now() < deadline,
                "{size} tasks are still queued after {PATIENCE:?}"
            );
            tokio::time::sleep(PAUSE).await;
        }
        let taken = start.at.elapsed();
        let tasks = start.left as f64;
        let cpu = process::cpu(&pids).zip(start.cpu);
        let work = self.work().await?.zip(start.work);
        let looks = (self.looks - start.looks) * self.price;
        Ok(Drained {
            rate: tasks / taken.as_secs_f64(),
            worker_cpu: cpu.map(|(after, before)| micros(after.saturating_sub(before)) / tasks),
            redis_cpu: work
                .map(|(after, before)| micros(after.cpu.saturating_sub(before.cpu)) / tasks),
            commands: work
                .map(|(after, before)| (after.commands - before.commands).saturating_sub(looks))
                .map(|commands| commands as f64 / tasks),
            peak_memory: process::peak_memory(&pids),
        })
    }

    async fn first_completion(&mut self, workers: &mut Workers) -> anyhow::Result<Start> {
        let full = self.look(0).await?;
        let deadline = Instant::now() + PATIENCE;
        // All queues are served alike, so the first one stands for all.
        while self.look(0).await? == full && full * self.queues.len() as u64 >= self.all {
            workers.check()?;
            ensure!(
                Instant::now() < deadline,
                "no task has ended after {PATIENCE:?}"
            );
            tokio::time::sleep(PAUSE).await;
        }
        let left = self.left().await?;
        ensure!(
            left > 0,
            "the queue was empty at the second look; use more --tasks"
        );
        Ok(Start {
            at: Instant::now(),
            left,
            cpu: process::cpu(&workers.pids()),
            work: self.work().await?,
            looks: self.looks,
        })
    }

    async fn look(&mut self, queue: usize) -> anyhow::Result<u64> {
        self.looks += 1;
        let stats = self.bench.connected.inspect.stats(&self.queues[queue]);
        Ok(stats.await?.size)
    }

    async fn left(&mut self) -> anyhow::Result<u64> {
        let mut left = 0;
        for queue in 0..self.queues.len() {
            left += self.look(queue).await?;
        }
        Ok(left)
    }

    async fn work(&self) -> anyhow::Result<Option<Work>> {
        match &self.bench.probe {
            Some(probe) => Ok(Some(probe.work().await?)),
            None => Ok(None),
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
