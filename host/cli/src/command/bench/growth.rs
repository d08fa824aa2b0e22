//! Whether a task costs the same with a longer queue, with more modules, and with more queues.

use std::time::{Duration, Instant};

use super::drain::{self, Drained};
use super::enqueue::{Batch, CHUNK};
use super::fleet::Crew;
use super::report::{Report, Unit};
use super::{Bench, guests};

/// How long each queue length is measured.
const WINDOW: Duration = Duration::from_secs(3);
const SHORTEST: usize = 1000;
const QUEUES: [usize; 3] = [1, 8, 64];

pub(super) async fn measure(bench: &mut Bench, report: &mut Report) -> anyhow::Result<()> {
    for length in steps(SHORTEST, bench.args.backlog) {
        bench.anew().await?;
        let rate = with_length(bench, length).await?;
        report.add(format!("queued_{length}"), Unit::PerSecond, rate);
    }
    for modules in steps(1, bench.args.modules) {
        bench.anew().await?;
        let drained = with_modules(bench, modules).await?;
        add(report, &format!("modules_{modules}"), &drained);
    }
    for queues in QUEUES {
        bench.anew().await?;
        let drained = with_queues(bench, queues).await?;
        add(report, &format!("queues_{queues}"), &drained);
    }
    Ok(())
}

fn add(report: &mut Report, name: &str, drained: &Drained) {
    report.add(name, Unit::PerSecond, drained.rate);
    let cpu = drained.worker_cpu;
    report.add_some(
        &format!("{name}_worker_cpu"),
        Unit::MicrosecondsPerTask,
        cpu,
    );
}

/// From `first` to `last` in powers of ten; only `first` if `last` is smaller.
fn steps(first: usize, last: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first), |step| step.checked_mul(10))
        .take_while(move |step| *step == first || *step <= last)
}

/// Tasks per second while a producer keeps this number of messages ready, in the same way for all lengths.
async fn with_length(bench: &Bench, length: usize) -> anyhow::Result<f64> {
    let queue = bench.further_queue(&format!("length-{length}"));
    let batch = |tasks| Batch {
        queue: &queue,
        tasks,
        chunk: CHUNK,
        message: &|number| guests::add(guests::ADD, number),
    };
    batch(length + CHUNK).send(bench).await?;
    let mut workers = bench.fleet.start(&bench.crew(&queue))?;
    workers.ready(&*bench.connected.results).await?;
    let mut done = 0;
    let mut begun = None;
    let mut size = (length + CHUNK) as u64;
    loop {
        let stats = bench.connected.inspect.stats(&queue).await?;
        let now = stats.size;
        let seen = Instant::now();
        if begun.is_some() {
            done += size - now;
        } else if now < size {
            begun = Some(seen);
        }
        size = now;
        if let Some(taken) = begun
            .map(|begun| seen - begun)
            .filter(|taken| *taken >= WINDOW)
        {
            drop(workers);
            bench.connected.inspect.purge(&queue).await?;
            return Ok(done as f64 / taken.as_secs_f64());
        }
        if size - stats.pending <= length as u64 {
            batch(CHUNK).send(bench).await?;
            size += CHUNK as u64;
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Drains tasks of this number of modules in turn.
async fn with_modules(bench: &Bench, modules: usize) -> anyhow::Result<Drained> {
    let queue = bench.further_queue(&format!("modules-{modules}"));
    let crew = bench.crew(&queue);
    let mut workers = bench.fleet.start_with_copies(&crew, modules)?;
    workers.ready(&*bench.connected.results).await?;
    workers.stop().await?;
    let batch = Batch {
        queue: &queue,
        tasks: bench.args.tasks,
        chunk: CHUNK,
        message: &|number| guests::add(&guests::copy_name(number % modules), number),
    };
    batch.send(bench).await?;
    let workers = bench.fleet.start_with_copies(&crew, modules)?;
    drain::drain(bench, &crew.queues, workers).await
}

/// Drains this number of queues with one worker.
async fn with_queues(bench: &Bench, queues: usize) -> anyhow::Result<Drained> {
    let name = |number: usize| bench.further_queue(&format!("queue-{queues}-{number}"));
    let crew = Crew {
        queues: (0..queues).map(name).collect(),
        ..bench.crew(&bench.queue)
    };
    for queue in &crew.queues {
        let batch = Batch {
            queue,
            tasks: (bench.args.tasks / queues).max(1),
            chunk: CHUNK,
            message: &|number| guests::add(guests::ADD, number),
        };
        batch.send(bench).await?;
    }
    let workers = bench.fleet.start(&crew)?;
    drain::drain(bench, &crew.queues, workers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_by_tens() {
        assert_eq!(steps(1, 1000).collect::<Vec<_>>(), [1, 10, 100, 1000]);
        assert_eq!(steps(1000, 50_000).collect::<Vec<_>>(), [1000, 10_000]);
        assert_eq!(steps(1000, 7).collect::<Vec<_>>(), [1000]);
    }
}
