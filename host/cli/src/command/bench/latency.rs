//! How long one task takes on idle workers, from just before it is enqueued until the producer has the result.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chicory_queue::{Client, TaskState, ValidationMode};
use hdrhistogram::Histogram;

use super::report::{Report, Unit};
use super::{Bench, guests};

/// Samples that don't count.
const WARM_UP: usize = 30;
/// The longest wait for one result.
const PATIENCE: Duration = Duration::from_secs(30);

/// A distribution of times.
pub(super) struct Times(Histogram<u64>);

impl Times {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new(3)?))
    }

    pub(super) fn record(&mut self, taken: Duration) -> anyhow::Result<()> {
        Ok(self.0.record(u64::try_from(taken.as_nanos())?)?)
    }

    /// This quantile, in milliseconds.
    pub(super) fn at(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e6
    }
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let workers = match &bench.args.queue {
        Some(_) => None,
        None => Some(bench.fleet.start(&bench.crew(&bench.queue))?),
    };
    warm_up(bench).await?;
    let times = samples(bench, bench.args.samples, Duration::ZERO).await?;
    report.add("latency_p50", Unit::Milliseconds, times.at(0.5));
    report.add("latency_p99", Unit::Milliseconds, times.at(0.99));
    match workers {
        Some(workers) => workers.stop().await,
        None => Ok(()),
    }
}

/// Runs tasks until workers and connections have done all one-time work.
pub(super) async fn warm_up(bench: &Bench) -> anyhow::Result<()> {
    samples(bench, WARM_UP, Duration::ZERO).await.map(drop)
}

/// Measures samples one after the other, with a pause between them.
pub(super) async fn samples(bench: &Bench, count: usize, pause: Duration) -> anyhow::Result<Times> {
    let mut times = Times::new()?;
    for number in 0..count {
        times.record(sample(bench, number).await?)?;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(times)
}

async fn sample(bench: &Bench, number: usize) -> anyhow::Result<Duration> {
    let message = guests::add(guests::ADD, number);
    let client = Client::new(bench.connected.clone()).validation(ValidationMode::None);
    let begun = Instant::now();
    let waited = client.run(&bench.queue, message, Some(PATIENCE)).await?;
    let taken = begun.elapsed();
    let result = waited
        .with_context(|| format!("no result of a task of the benchmark within {PATIENCE:?}"))?;
    ensure!(
        result.state == TaskState::Success && result.result == Some((number + 1).into()),
        "a task of the benchmark had an unexpected outcome: {result:?}"
    );
    Ok(taken)
}
