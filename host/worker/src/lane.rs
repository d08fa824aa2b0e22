//! Lanes: one for each thread of the sandboxes. A lane takes deliveries one after the other, and
//! runs each on the spot up to the first time that it waits; only one that does wait becomes a task of
//! the executor. Ends are handed on in batches. Most tasks never wait, so they cost no scheduling.
//! A delivery that comes alone may be run where it was fetched: nobody has to be woken for it.
//!
//! Must not know what a call does, nor what becomes of its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use futures::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::alarm::watched;
use crate::execute::{Attempt, Begun, Case, Finished, begin, begin_cold, conclude, finish};
use crate::runner::Running;
use crate::shift::Shift;

/// How long a lane keeps its thread before others have their turn: as long as a guest does.
const TURN: Duration = Duration::from_millis(2);
/// More ends than this are not kept back.
const LARGEST_BATCH: usize = 64;

/// A delivery that may start.
pub(crate) struct Ready {
    pub(crate) ticket: u64,
    pub(crate) attempt: Attempt,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Ready {
    /// Whether it is worth more to run it than to hand it on.
    pub(crate) fn is_brief(&self) -> bool {
        self.attempt.task.as_ref().is_ok_and(|task| task.is_brief())
    }
}

/// Runs one delivery on the caller's thread, up to the first time that it waits.
pub(crate) async fn run_here(shift: &Arc<Shift>, ready: Ready) {
    let mut ends = Ends::new(shift);
    run(shift, ready, &mut ends);
    ends.hand_on(shift).await;
}

/// Runs what is ready until there can be no more.
pub(crate) async fn lane(shift: Arc<Shift>, ready: Receiver<Ready>) {
    let mut ends = Ends::new(&shift);
    while let Ok(first) = ready.recv().await {
        let turn = Instant::now();
        let mut next = Some(first);
        while let Some(ready_now) = next {
            run(&shift, ready_now, &mut ends);
            if ends.is_full() {
                ends.hand_on(&shift).await;
            }
            next = match turn.elapsed() {
                spent if spent < TURN => ready.try_recv().ok(),
                _ => None,
            };
        }
        ends.hand_on(&shift).await;
        tokio::task::yield_now().await;
    }
}

/// Ends that were not handed on yet, and their permits, which are free once they are.
struct Ends {
    finished: Vec<Finished>,
    permits: Option<OwnedSemaphorePermit>,
    largest: usize,
}

impl Ends {
    /// Keeps back an eighth of what may be at work at most, so that there is always more to fetch.
    fn new(shift: &Shift) -> Self {
        Self {
            finished: Vec::new(),
            permits: None,
            largest: (shift.config.concurrency / 8).clamp(1, LARGEST_BATCH),
        }
    }

    fn add(&mut self, finished: Finished, permit: OwnedSemaphorePermit) {
        self.finished.push(finished);
        match &mut self.permits {
            Some(permits) => permits.merge(permit),
            None => self.permits = Some(permit),
        }
    }

    fn is_full(&self) -> bool {
        self.finished.len() >= self.largest
    }

    async fn hand_on(&mut self, shift: &Shift) {
        if self.finished.is_empty() {
            return;
        }
        let finished = std::mem::replace(&mut self.finished, Vec::with_capacity(self.largest));
        // The receiver is gone only when the worker has stopped; then the leases are released there.
        let _ = shift.finished.send(finished).await;
        self.permits = None;
    }
}

fn run(shift: &Arc<Shift>, ready: Ready, ends: &mut Ends) {
    let Ready {
        ticket,
        attempt,
        permit,
    } = ready;
    let (case, begun) = begin(shift, ticket, attempt);
    match begun {
        Begun::Over(outcome) => ends.add(finish(shift, case, &outcome, None), permit),
        Begun::Running(mut running) => match (&mut running).now_or_never() {
            Some(ended) => ends.add(conclude(shift, case, ended), permit),
            None => {
                let rest = wait(Arc::clone(shift), case, running, permit);
                spawn(shift, rest);
            }
        },
        Begun::Cold => {
            spawn(shift, load(Arc::clone(shift), case, permit));
        }
    }
}

/// Goes on with a call as a task of the executor.
fn spawn(shift: &Shift, rest: impl Future<Output = ()> + Send + 'static) {
    let watched = watched(shift.broken.clone(), rest);
    shift.sandboxes.spawn(watched);
}

/// Runs a task whose code has to be loaded first.
async fn load(shift: Arc<Shift>, mut case: Case, permit: OwnedSemaphorePermit) {
    match begin_cold(&shift, &mut case).await {
        Begun::Running(running) => wait(shift, case, running, permit).await,
        Begun::Over(outcome) => {
            let finished = vec![finish(&shift, case, &outcome, None)];
            let _ = shift.finished.send(finished).await;
        }
        Begun::Cold => unreachable!("its code has just been loaded"),
    }
}

/// Runs the rest of a call that waits, or that computes for long.
async fn wait(shift: Arc<Shift>, case: Case, running: Running, permit: OwnedSemaphorePermit) {
    let ended = running.await;
    let finished = vec![conclude(&shift, case, ended)];
    let _ = shift.finished.send(finished).await;
    drop(permit);
}
