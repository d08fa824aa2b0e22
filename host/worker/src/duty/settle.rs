//! Duty: settles what has ended, in batches of all attempts that have gathered during the last round trip. Two round
//! trips may be under way, so the broker has work while the next batch is put together. Large outcomes are settled
//! beside them, so nothing small waits for one.
//!
//! A broker that is away is retried until it answers: an outcome must not be lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_channel::Receiver;
use chicory_queue::{SettleRequest, Settled};
use tokio::sync::{Mutex, mpsc};

use crate::attempt::Concluded;
use crate::backoff::Backoff;
use crate::context::WorkerContext;

/// One script call should not hold up other clients of the server for long.
const LARGEST_BATCH: usize = 256;
/// Maximum number of outcomes that wait for a part of the store that does not answer. Beyond that, the others wait as
/// well, so the worker stops fetching instead of filling its memory.
const MOST_POSTPONED: usize = 4096;
/// Maximum number of large outcomes that are settled together, and of those that wait for it. Beyond that, the others
/// wait as well: all of them are in memory.
const MOST_LARGE: usize = 16;
/// While the lanes have enough to do, a few outcomes wait this long for others, this many times: a round trip for them
/// alone would cost more than a short task does.
const FEW: usize = 16;
const GATHER: Duration = Duration::from_millis(1);
const GATHERINGS: usize = 10;

/// Settles until the worker closes and nothing is left.
pub(crate) async fn settle(context: Arc<WorkerContext>, concluded: Receiver<Vec<Concluded>>) {
    // Only one batch gathers at a time: two would share the outcomes between them.
    let concluded = Mutex::new(concluded);
    let (later, postponed) = mpsc::channel(MOST_POSTPONED);
    let (large, bulky) = mpsc::channel(MOST_LARGE);
    let ways = Ways { large, later };
    let one_by_one = large_ones(&context, bulky, ways.later.clone());
    let one = |ways| batches(&context, &concluded, ways);
    futures::join!(
        one(ways.clone()),
        one(ways),
        one_by_one,
        again(&context, postponed)
    );
}

/// Where outcomes go that are not settled with the others.
#[derive(Clone)]
struct Ways {
    large: mpsc::Sender<Concluded>,
    later: mpsc::Sender<Concluded>,
}

/// What has ended; `None` once the worker closes and nothing is left.
async fn gather(
    context: &WorkerContext,
    concluded: &Receiver<Vec<Concluded>>,
) -> Option<Vec<Concluded>> {
    let mut gathered = tokio::select! {
        biased;
        Ok(first) = concluded.recv() => first,
        () = context.closing.cancelled() => return None,
    };
    add_more(&mut gathered, concluded);
    for _ in 0..GATHERINGS {
        if gathered.len() >= FEW || !context.has_stock() {
            break;
        }
        tokio::time::sleep(GATHER).await;
        add_more(&mut gathered, concluded);
    }
    Some(gathered)
}

/// Adds what has ended meanwhile.
fn add_more(gathered: &mut Vec<Concluded>, concluded: &Receiver<Vec<Concluded>>) {
    while gathered.len() < LARGEST_BATCH
        && let Ok(more) = concluded.try_recv()
    {
        gathered.extend(more);
    }
}

/// Settles one batch after the other.
async fn batches(context: &WorkerContext, concluded: &Mutex<Receiver<Vec<Concluded>>>, ways: Ways) {
    loop {
        let gathered = gather(context, &*concluded.lock().await).await;
        let Some(mut gathered) = gathered else {
            return;
        };
        // From here on, it is not announced as running: that would come after its end.
        for one in &gathered {
            one.attempt.announce();
        }
        // The receivers outlive both of these loops.
        for one in gathered.extract_if(.., |one| one.is_large_to_settle()) {
            let _ = ways.large.send(one).await;
        }
        if gathered.is_empty() {
            continue;
        }
        for one in settle_some(context, gathered).await {
            let _ = ways.later.send(one).await;
        }
    }
}

/// Settles what is large, a few at a time, until no more can come.
async fn large_ones(
    context: &WorkerContext,
    mut bulky: mpsc::Receiver<Concluded>,
    later: mpsc::Sender<Concluded>,
) {
    let mut some = Vec::new();
    while bulky.recv_many(&mut some, MOST_LARGE).await > 0 {
        for one in settle_some(context, std::mem::take(&mut some)).await {
            let _ = later.send(one).await;
        }
    }
}

/// Settles what could not be settled before, until no more can come.
async fn again(context: &WorkerContext, mut postponed: mpsc::Receiver<Concluded>) {
    let mut waiting = Vec::new();
    let mut backoff = Backoff::new();
    loop {
        if waiting.is_empty() {
            backoff.reset();
            match postponed.recv().await {
                Some(one) => waiting.push(one),
                None => return,
            }
        }
        backoff.wait().await;
        while waiting.len() < MOST_POSTPONED
            && let Ok(one) = postponed.try_recv()
        {
            waiting.push(one);
        }
        let mut left = Vec::new();
        while !waiting.is_empty() {
            let batch = waiting.split_off(waiting.len().saturating_sub(LARGEST_BATCH));
            left.extend(settle_some(context, batch).await);
        }
        waiting = left;
    }
}

/// Settles these. Returns those whose part of the store does not answer: the others must not wait for it.
async fn settle_some(context: &WorkerContext, ended: Vec<Concluded>) -> Vec<Concluded> {
    let batch: Vec<_> = ended.iter().map(Concluded::request).collect();
    let mut answers = settle_all(context, &batch).await;
    drop(batch);
    let mut left = Vec::new();
    let mut settled = ended;
    if answers.contains(&Settled::Unreachable) {
        let (unreachable, others): (Vec<_>, Vec<_>) = (settled.into_iter().zip(answers))
            .partition(|(_, answer)| *answer == Settled::Unreachable);
        left = unreachable.into_iter().map(|(one, _)| one).collect();
        (settled, answers) = others.into_iter().unzip();
    }
    context.held.remove(settled.iter().map(|one| &*one.attempt));
    for (one, answer) in settled.iter().zip(answers) {
        tell(context, one, answer == Settled::Applied);
    }
    left
}

async fn settle_all(context: &WorkerContext, batch: &[SettleRequest<'_>]) -> Vec<Settled> {
    let mut backoff = Backoff::new();
    loop {
        let answer = context.connected.broker.settle(batch).await;
        if let Some(answers) = context.note(answer) {
            return answers;
        }
        backoff.wait().await;
    }
}

/// Counts and reports how an attempt ended.
fn tell(context: &WorkerContext, concluded: &Concluded, applied: bool) {
    context.counts.processed.fetch_add(1, Ordering::Relaxed);
    if concluded.failure.is_some() {
        context.counts.failed.fetch_add(1, Ordering::Relaxed);
    }
    let end = concluded.ended(applied);
    context.tell(|observer| observer.ended(&end));
}
