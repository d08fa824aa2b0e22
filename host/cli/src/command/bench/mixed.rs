//! Tasks other than the smallest: payloads, computation, waiting.

use std::time::Duration;

use super::enqueue::Batch;
use super::fleet::Crew;
use super::report::{Report, Unit};
use super::{Bench, drain, guests};

/// Payloads: the name, the number of bytes, and the fraction of all tasks that is measured with it.
const PAYLOADS: [(&str, usize, usize); 3] = [
    ("echo_100_B", 100, 1),
    ("echo_10_KB", 10_000, 10),
    ("echo_1_MB", 1_000_000, 500),
];
/// Bytes per call.
const CALL: usize = 4_000_000;
const PAUSE: Duration = Duration::from_millis(10);
const AT_ONCE: usize = 1000;

pub(super) async fn measure(bench: &mut Bench, report: &mut Report) -> anyhow::Result<()> {
    for (name, size, part) in PAYLOADS {
        bench.anew().await?;
        let text = "x".repeat(size);
        let batch = Batch {
            queue: &bench.further_queue(name),
            tasks: (bench.args.tasks / part).max(100),
            chunk: (CALL / size).clamp(1, 1000),
            message: &|_| guests::echo(&text),
        };
        batch.send(bench).await?;
        let rate = drain::rate(bench, &bench.crew(batch.queue)).await?;
        report.add(name, Unit::PerSecond, rate);
    }
    compute(bench, report).await?;
    wait(bench, report).await
}

async fn compute(bench: &mut Bench, report: &mut Report) -> anyhow::Result<()> {
    bench.anew().await?;
    let rounds = guests::rounds_per_millisecond().await?;
    let queue = bench.further_queue("cpu");
    let batch = Batch {
        queue: &queue,
        tasks: (bench.args.tasks / 10).max(100),
        chunk: 1000,
        message: &|_| guests::spin(rounds),
    };
    batch.send(bench).await?;
    let rate = drain::rate(bench, &bench.crew(&queue)).await?;
    report.add("cpu_1_ms", Unit::PerSecond, rate);
    Ok(())
}

async fn wait(bench: &mut Bench, report: &mut Report) -> anyhow::Result<()> {
    bench.anew().await?;
    let queue = bench.further_queue("wait");
    let batch = Batch {
        queue: &queue,
        tasks: bench.args.tasks,
        chunk: 1000,
        message: &|_| guests::pause(PAUSE),
    };
    batch.send(bench).await?;
    let crew = Crew {
        concurrency: AT_ONCE,
        ..bench.crew(&queue)
    };
    let rate = drain::rate(bench, &crew).await?;
    report.add("wait_10_ms", Unit::PerSecond, rate);
    Ok(())
}
