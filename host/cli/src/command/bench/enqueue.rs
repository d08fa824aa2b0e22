//! How fast one producer enqueues: in bulk, and one by one compared with a bare round trip.
//!
//! Measured on a warm connection, up to the confirmation.

use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chicory_queue::TaskMessage;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::report::{Report, Unit};
use super::{Bench, guests};

/// Messages per call, as `chicory enqueue --file` sends them.
pub(super) const CHUNK: usize = 1000;
/// Concurrent calls in bulk.
const CALLS: usize = 3;
/// Tasks that are enqueued one by one.
const SINGLES: usize = 1000;

/// Tasks for one queue.
pub(super) struct Batch<'a> {
    pub(super) queue: &'a str,
    pub(super) tasks: usize,
    /// Messages per call.
    pub(super) chunk: usize,
    /// The message with this number.
    pub(super) message: &'a dyn Fn(usize) -> TaskMessage,
}

impl Batch<'_> {
    /// Enqueues all of them, and returns their ids. The next call is prepared while the broker handles one.
    pub(super) async fn send(&self, bench: &Bench) -> anyhow::Result<Vec<String>> {
        let firsts = (0..self.tasks).step_by(self.chunk);
        let sent: Vec<Vec<String>> = stream::iter(firsts)
            .map(|first| self.send_chunk(bench, first..(first + self.chunk).min(self.tasks)))
            .buffered(CALLS)
            .try_collect()
            .await?;
        Ok(sent.into_iter().flatten().collect())
    }

    async fn send_chunk(
        &self,
        bench: &Bench,
        numbers: Range<usize>,
    ) -> anyhow::Result<Vec<String>> {
        let messages: Vec<_> = numbers.map(self.message).collect();
        let sending = bench.connected.broker.enqueue(self.queue, &messages);
        sending.await?;
        Ok(messages
            .into_iter()
            .map(|message| message.id.into())
            .collect())
    }
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    bench.connected.inspect.stats(&bench.queue).await?;
    let begun = Instant::now();
    let ids = fill(bench).await?;
    let rate = ids.len() as f64 / begun.elapsed().as_secs_f64();
    report.add("enqueue", Unit::PerSecond, rate);
    if let Some(file) = &bench.args.ids {
        fs::write(file, ids.join("\n"))
            .with_context(|| format!("can't write {}", file.display()))?;
    }
    if bench.args.queue.is_none() {
        singles(bench, report).await?;
    }
    Ok(())
}

/// Enqueues all tasks of `add`, and returns their ids.
pub(super) async fn fill(bench: &Bench) -> anyhow::Result<Vec<String>> {
    let batch = Batch {
        queue: &bench.queue,
        tasks: bench.args.tasks,
        chunk: CHUNK,
        message: &|number| guests::add(guests::ADD, number),
    };
    batch.send(bench).await
}

/// Alternates between the two, so that both see the same state of the machine.
async fn singles(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let queue = bench.further_queue("singles");
    let (mut sends, mut trips) = (Vec::new(), Vec::new());
    for number in 0..SINGLES {
        let batch = [guests::add(guests::ADD, number)];
        let begun = Instant::now();
        let sending = bench.connected.broker.enqueue(&queue, &batch);
        sending.await?;
        sends.push(begun.elapsed());
        if let Some(probe) = &bench.probe {
            trips.push(probe.round_trip().await?);
        }
    }
    report.add("enqueue_single_p50", Unit::Milliseconds, median(&mut sends));
    if !trips.is_empty() {
        report.add("round_trip_p50", Unit::Milliseconds, median(&mut trips));
    }
    Ok(())
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}
