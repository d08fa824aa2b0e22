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
use crate::attempt::{Case, Finished, Ready};
use crate::context::WorkerContext;
use crate::execute::{Begun, begin, begin_cold, conclude, finish};
use crate::runner::Running;

/// How long a lane keeps its thread before others have their turn: as long as a guest does.
const TURN: Duration = Duration::from_millis(2);
/// More ends than this are not kept back.
const LARGEST_BATCH: usize = 64;

/// Runs one delivery on the caller's thread, up to the first time that it waits.
pub(crate) async fn run_here(context: &Arc<WorkerContext>, ready: Ready) {
    let mut ends = Ends::new(context);
    run(context, ready, &mut ends);
    ends.hand_on(context).await;
}

/// Runs what is ready until there can be no more.
pub(crate) async fn lane(context: Arc<WorkerContext>, ready: Receiver<Ready>) {
    let mut ends = Ends::new(&context);
    while let Ok(first) = ready.recv().await {
        let turn = Instant::now();
        let mut next = Some(first);
        while let Some(ready_now) = next {
            run(&context, ready_now, &mut ends);
            if ends.is_full() {
                ends.hand_on(&context).await;
            }
            next = match turn.elapsed() {
                spent if spent < TURN => ready.try_recv().ok(),
                _ => None,
            };
        }
        ends.hand_on(&context).await;
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
    fn new(context: &WorkerContext) -> Self {
        Self {
            finished: Vec::new(),
            permits: None,
            largest: (context.config.concurrency / 8).clamp(1, LARGEST_BATCH),
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

    async fn hand_on(&mut self, context: &WorkerContext) {
        if self.finished.is_empty() {
            return;
        }
        let finished = std::mem::replace(&mut self.finished, Vec::with_capacity(self.largest));
        // The receiver is gone only when the worker has stopped; then the leases are released there.
        let _ = context.finished.send(finished).await;
        self.permits = None;
    }
}

fn run(context: &Arc<WorkerContext>, ready: Ready, ends: &mut Ends) {
    let Ready {
        ticket,
        attempt,
        permit,
    } = ready;
    let (case, begun) = begin(context, ticket, attempt);
    match begun {
        Begun::Over(outcome) => ends.add(finish(context, case, &outcome, None), permit),
        Begun::Running(mut running) => match (&mut running).now_or_never() {
            Some(ended) => ends.add(conclude(context, case, ended), permit),
            None => {
                let rest = wait(Arc::clone(context), case, running, permit);
                spawn(context, rest);
            }
        },
        Begun::Cold => {
            spawn(context, load(Arc::clone(context), case, permit));
        }
    }
}

/// Goes on with a call as a task of the executor.
fn spawn(context: &WorkerContext, rest: impl Future<Output = ()> + Send + 'static) {
    let watched = watched(context.broken.clone(), rest);
    context.sandboxes.spawn(watched);
}

/// Runs a task whose code has to be loaded first.
async fn load(context: Arc<WorkerContext>, mut case: Case, permit: OwnedSemaphorePermit) {
    match begin_cold(&context, &mut case).await {
        Begun::Running(running) => wait(context, case, running, permit).await,
        Begun::Over(outcome) => {
            let finished = vec![finish(&context, case, &outcome, None)];
            let _ = context.finished.send(finished).await;
        }
        Begun::Cold => unreachable!("its code has just been loaded"),
    }
}

/// Runs the rest of a call that waits, or that computes for long.
async fn wait(
    context: Arc<WorkerContext>,
    case: Case,
    running: Running,
    permit: OwnedSemaphorePermit,
) {
    let ended = running.await;
    let finished = vec![conclude(&context, case, ended)];
    let _ = context.finished.send(finished).await;
    drop(permit);
}
