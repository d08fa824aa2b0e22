//! How fast one producer sends: in bulk, from a warm connection, to the last confirmation.

use std::time::Instant;

use super::Bench;

/// Messages per call, as `chicory enqueue --file` sends them.
const CHUNK: usize = 1000;

/// Tasks a second. They stay queued.
pub(super) async fn rate(bench: &Bench) -> anyhow::Result<f64> {
    bench.connected.inspect.stats(&bench.queue).await?;
    let begun = Instant::now();
    fill(bench).await?;
    Ok(bench.args.tasks as f64 / begun.elapsed().as_secs_f64())
}

/// Enqueues all tasks.
pub(super) async fn fill(bench: &Bench) -> anyhow::Result<()> {
    let mut sent = 0;
    while sent < bench.args.tasks {
        let next = (sent + CHUNK).min(bench.args.tasks);
        let messages: Vec<_> = (sent..next).map(Bench::message).collect();
        bench
            .connected
            .broker
            .enqueue(&bench.queue, &messages)
            .await?;
        sent = next;
    }
    Ok(())
}
