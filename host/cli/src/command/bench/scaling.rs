//! The effect of a second thread and a second process on tasks that compute for a millisecond.

use super::enqueue::Batch;
use super::fleet::Crew;
use super::report::{Report, Unit};
use super::{Bench, drain, guests};

/// Enough for each configuration.
const CONCURRENCY: usize = 64;

pub(super) async fn measure(bench: &mut Bench, report: &mut Report) -> anyhow::Result<()> {
    let rounds = guests::rounds_per_millisecond().await?;
    let one = rate(bench, rounds, (1, 1)).await?;
    let threads = rate(bench, rounds, (1, 2)).await?;
    let processes = rate(bench, rounds, (2, 1)).await?;
    report.add("one_thread", Unit::PerSecond, one);
    report.add("two_threads", Unit::PerSecond, threads);
    report.add("two_processes", Unit::PerSecond, processes);
    report.add("two_threads_ratio", Unit::Times, threads / one);
    report.add("two_processes_ratio", Unit::Times, processes / one);
    Ok(())
}

/// Tasks per second with this number of processes, and of threads in each.
async fn rate(
    bench: &mut Bench,
    rounds: u64,
    (processes, threads): (usize, usize),
) -> anyhow::Result<f64> {
    bench.anew().await?;
    let queue = bench.further_queue(&format!("{processes}x{threads}"));
    let batch = Batch {
        queue: &queue,
        tasks: (bench.args.tasks / 20).max(100),
        chunk: 1000,
        message: &|_| guests::spin(rounds),
    };
    batch.send(bench).await?;
    let crew = Crew {
        processes,
        concurrency: CONCURRENCY,
        threads: Some(threads),
        queues: vec![queue.clone()],
    };
    drain::rate(bench, &crew).await
}
