//! How long one task takes on idle workers: from just before enqueue to the result in hand.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chicory_queue::TaskState;
use hdrhistogram::Histogram;

use super::Bench;

/// Samples that don't count.
const WARM_UP: usize = 30;
/// Longest wait for one result.
const PATIENCE: Duration = Duration::from_secs(30);

/// The samples' distribution.
pub(super) struct Times(Histogram<u64>);

impl Times {
    /// Milliseconds at this quantile.
    pub(super) fn at(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Measures the samples one after the other.
pub(super) async fn times(bench: &Bench) -> anyhow::Result<Times> {
    let workers = bench.fleet.start()?;
    let mut times = Times(Histogram::new(3)?);
    for number in 0..WARM_UP + bench.args.samples {
        let taken = sample(bench, number).await?;
        if number >= WARM_UP {
            times.0.record(u64::try_from(taken.as_nanos())?)?;
        }
    }
    workers.stop().await?;
    Ok(times)
}

async fn sample(bench: &Bench, number: usize) -> anyhow::Result<Duration> {
    let message = Bench::message(number);
    let begun = Instant::now();
    bench
        .connected
        .broker
        .enqueue(&bench.queue, std::slice::from_ref(&message))
        .await?;
    let waited = bench
        .connected
        .results
        .wait(&message.id, Some(PATIENCE))
        .await?;
    let taken = begun.elapsed();
    let result =
        waited.with_context(|| format!("no result of a benchmark's task within {PATIENCE:?}"))?;
    ensure!(
        result.state == TaskState::Success && result.result == Some((number + 1).into()),
        "a benchmark's task ended otherwise than expected: {result:?}"
    );
    Ok(taken)
}
