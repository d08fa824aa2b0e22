//! Lanes: one for each thread that runs tasks. A lane takes attempts one after the other, and runs each on the spot up
//! to the first time that it waits; only one that does wait becomes a task of the executor. Outcomes are handed on in
//! batches. Most tasks never wait, so they cost no scheduling. A single delivery may run on the fetching thread, so
//! that no other thread has to be woken.
//!
//! Must not know what a call does, nor what becomes of its outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use futures::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::alarm::watched;
use crate::attempt::runner::Running;
use crate::attempt::{Concluded, Ready, Started};
use crate::context::WorkerContext;
use crate::execute::{conclude, start};

/// How long a lane keeps its thread before others have their turn: as long as a guest does.
const TURN: Duration = Duration::from_millis(2);
/// A batch is handed on once it has this many outcomes.
const LARGEST_BATCH: usize = 64;

/// Runs one attempt on the caller's thread, up to the first time that it waits.
pub(crate) async fn run_here(context: &Arc<WorkerContext>, ready: Ready) {
    let mut outbox = Outbox::new(context);
    run(context, ready, &mut outbox);
    outbox.hand_on(context).await;
}

/// Runs what is ready until there can be no more.
pub(crate) async fn lane(context: Arc<WorkerContext>, ready: Receiver<Ready>) {
    let mut outbox = Outbox::new(&context);
    while let Ok(first) = ready.recv().await {
        let turn = Instant::now();
        let mut next = Some(first);
        while let Some(ready_now) = next {
            run(&context, ready_now, &mut outbox);
            if outbox.is_full() {
                outbox.hand_on(&context).await;
            }
            next = match turn.elapsed() {
                spent if spent < TURN => ready.try_recv().ok(),
                _ => None,
            };
        }
        outbox.hand_on(&context).await;
        tokio::task::yield_now().await;
    }
}

/// Attempts that were not handed on yet, and their permits, which are free once they are.
struct Outbox {
    concluded: Vec<Concluded>,
    permits: Option<OwnedSemaphorePermit>,
    largest: usize,
}

impl Outbox {
    /// Keeps back at most an eighth of what may be running, so that there is always more to fetch.
    fn new(context: &WorkerContext) -> Self {
        Self {
            concluded: Vec::new(),
            permits: None,
            largest: (context.config.concurrency / 8).clamp(1, LARGEST_BATCH),
        }
    }

    fn add(&mut self, concluded: Concluded, permit: OwnedSemaphorePermit) {
        self.concluded.push(concluded);
        match &mut self.permits {
            Some(permits) => permits.merge(permit),
            None => self.permits = Some(permit),
        }
    }

    fn is_full(&self) -> bool {
        self.concluded.len() >= self.largest
    }

    async fn hand_on(&mut self, context: &WorkerContext) {
        if self.concluded.is_empty() {
            return;
        }
        let next = Vec::with_capacity(self.largest);
        let concluded = std::mem::replace(&mut self.concluded, next);
        // The receiver is gone only when the worker has stopped; then the leases are released there.
        let _ = context.concluded.send(concluded).await;
        self.permits = None;
    }
}

fn run(context: &Arc<WorkerContext>, ready: Ready, outbox: &mut Outbox) {
    let Ready { attempt, permit } = ready;
    let (started, running) = start(context, attempt);
    let ended = match running {
        Err(outcome) => outcome.into(),
        Ok(mut running) => match (&mut running).now_or_never() {
            Some(ended) => ended,
            None => {
                let rest = wait(Arc::clone(context), started, running, permit);
                context.threads.spawn(watched(context.broken.clone(), rest));
                return;
            }
        },
    };
    outbox.add(conclude(context, started, ended), permit);
}

/// Runs the rest of a call that waits, or that computes for long.
async fn wait(
    context: Arc<WorkerContext>,
    started: Started,
    running: Running,
    permit: OwnedSemaphorePermit,
) {
    let ended = running.await;
    let concluded = vec![conclude(&context, started, ended)];
    let _ = context.concluded.send(concluded).await;
    drop(permit);
}
