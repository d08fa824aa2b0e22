//! How fast workers empty a full queue: from the first completion seen to the last.
//!
//! A completed message is deleted from the queue, so the queue's size counts completions.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Bench, enqueue};

/// Tasks a second.
pub(super) async fn rate(bench: &Bench) -> anyhow::Result<f64> {
    enqueue::fill(bench).await?;
    let workers = bench.fleet.start()?;
    let (first, left, last) = watch(bench).await?;
    workers.stop().await?;
    let dead = bench.connected.inspect.stats(&bench.queue).await?.dead;
    ensure!(
        dead == 0,
        "{dead} of the benchmark's tasks failed; see `chicory dlq list`"
    );
    Ok(left as f64 / last.duration_since(first).as_secs_f64())
}

/// When the first completion was seen, how many tasks were left then, and when none was left.
async fn watch(bench: &Bench) -> anyhow::Result<(Instant, u64, Instant)> {
    let deadline = Instant::now() + PATIENCE;
    let all = bench.args.tasks as u64;
    let mut first = None;
    loop {
        let size = bench.connected.inspect.stats(&bench.queue).await?.size;
        let now = Instant::now();
        if size < all && first.is_none() {
            first = Some((now, size));
        }
        match first {
            Some((first, left)) if size == 0 => {
                ensure!(
                    left > 0,
                    "the queue was empty at the second look; use more --tasks"
                );
                return Ok((first, left, now));
            }
            _ => ensure!(
                now < deadline,
                "{size} of {all} tasks are still queued after {PATIENCE:?}; do the workers start?"
            ),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const PATIENCE: Duration = Duration::from_mins(5);
