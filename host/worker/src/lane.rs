//! Lanes: the threads that run tasks.
//!
//! All lanes take from one `WorkQueue`; none has a stock of its own. A lane runs each attempt on the spot until it
//! first waits or lets others pass, so most tasks need no scheduling. The rest of a call goes back to the queue, which
//! decides who is next (`work/turns.rs`): calls that are known to be short have lanes of their own, and long ones keep
//! a share. Guests let others pass at every tick of their engine's clock.
//!
//! Outcomes are handed on in batches, at the latest when nothing is ready. A lane that is stuck in a call (a native
//! task that blocks, a guest that copies a whole memory) keeps only that call: an idle lane hands on its outcomes, and
//! runs what it would have run. The calls' timers and sockets are driven by a thread of their own, so they don't wait
//! for a lane either.
//!
//! A single delivery may run on the fetching thread, so no other thread has to be woken: if its task is known to be
//! brief, and lets others pass within a tick in case it is not.
//!
//! Must not know what a call does, nor what happens to its outcome.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::OwnedSemaphorePermit;

use crate::alarm::watching;
use crate::attempt::runner::{Ended, Running};
use crate::attempt::{Concluded, Ready};
use crate::context::WorkerContext;
use crate::execute::{conclude, start};
use crate::turn::TURN;
use crate::work::{Begun, Finished, Kind, Pause, Rest, Seat, Woken, Work};

/// A batch is handed on once it has this many outcomes.
const LARGEST_BATCH: usize = 64;

/// Runs one attempt on the caller's thread until it first waits or lets others pass.
pub(crate) async fn run_here(context: &Arc<WorkerContext>, ready: Ready) {
    if let Some((concluded, permit)) = run(context, ready) {
        // The receiver is gone only when the worker has stopped; the leases are released there.
        let _ = context.concluded.send(vec![concluded]).await;
        drop(permit);
    }
}

/// The lanes of one worker. They end when this is dropped.
pub(crate) struct Lanes {
    shared: Arc<Shared>,
    /// Drives the timers and sockets of calls.
    driver: Option<Runtime>,
    /// Each lane holds the other end until it has ended.
    ended: mpsc::Receiver<()>,
}

struct Shared {
    context: Arc<WorkerContext>,
    /// One for each lane.
    outboxes: Box<[Mutex<Outbox>]>,
}

impl Lanes {
    /// Starts the lanes.
    pub(crate) fn start(context: &Arc<WorkerContext>) -> io::Result<Self> {
        let count = context.config.threads.max(1);
        let driver = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sandbox-io")
            .enable_all()
            .build()?;
        let outbox = |_| Mutex::new(Outbox::default());
        let shared = Arc::new(Shared {
            context: Arc::clone(context),
            outboxes: (0..2 * count).map(outbox).collect(),
        });
        let (alive, ended) = mpsc::channel();
        let lanes = Self {
            shared,
            driver: Some(driver),
            ended,
        };
        for own in 0..2 * count {
            let kind = if own < count {
                Kind::Quick
            } else {
                Kind::Patient
            };
            lanes.spawn(own, kind, alive.clone())?;
        }
        Ok(lanes)
    }

    fn spawn(&self, own: usize, kind: Kind, alive: mpsc::Sender<()>) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let driver = self.driver.as_ref().map(|driver| driver.handle().clone());
        let lane = move || {
            let _alive = alive;
            let _entered = driver.as_ref().map(tokio::runtime::Handle::enter);
            let broken = shared.context.broken.clone();
            let lane = Lane {
                shared: &shared,
                own,
            };
            watching(broken, || lane.serve(Seat::new(kind)));
        };
        thread::Builder::new()
            .name("sandbox".into())
            .spawn(lane)
            .map(drop)
    }

    /// Stops the lanes, and drops every call. A lane that is still busy after `patience` is not waited for: it ends by
    /// itself after its call's turn. Blocks the caller's thread.
    pub(crate) fn stop(mut self, patience: Duration) {
        let context = &self.shared.context;
        context.work.close();
        // Nothing is ever sent: the channel ends when all lanes have.
        let _ = self.ended.recv_timeout(patience);
        if let Some(driver) = self.driver.take() {
            let entered = driver.enter();
            context.work.clear();
            drop(entered);
            driver.shutdown_timeout(patience);
        }
        for own in 0..self.shared.outboxes.len() {
            self.shared.hand_on(own);
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.shared.context.work.close();
        if let Some(driver) = self.driver.take() {
            let entered = driver.enter();
            self.shared.context.work.clear();
            drop(entered);
            driver.shutdown_background();
        }
    }
}

/// What one thread needs.
struct Lane<'a> {
    shared: &'a Shared,
    own: usize,
}

impl Lane<'_> {
    /// Works until the queue is closed.
    fn serve(&self, mut seat: Seat) {
        let shared = self.shared;
        let mut turn = Instant::now();
        loop {
            let now = Instant::now();
            if now.saturating_duration_since(turn) >= TURN {
                turn = now;
                shared.hand_on(self.own);
                shared.relieve(now);
            }
            match shared.context.work.next(&mut seat, now) {
                Some(Work::Start(ready)) => self.start(ready),
                Some(Work::Resume(rest)) => self.resume(&rest),
                None => {
                    shared.hand_on(self.own);
                    let woken = shared.context.work.wait(&seat, || shared.patience());
                    match woken {
                        Woken::Closed => return,
                        Woken::Late => shared.relieve(Instant::now()),
                        Woken::Work => {}
                    }
                }
            }
        }
    }

    fn start(&self, ready: Ready) {
        if !ready.is_short() {
            self.shared.hand_on(self.own);
        }
        if let Some((concluded, permit)) = run(&self.shared.context, ready) {
            self.add(concluded, permit);
        }
    }

    fn resume(&self, rest: &Arc<Rest>) {
        self.shared.hand_on(self.own);
        if let Some(finished) = rest.resume() {
            let Finished {
                started,
                ended,
                permit,
            } = finished;
            self.add(conclude(&self.shared.context, started, ended), permit);
        }
    }

    fn add(&self, concluded: Concluded, permit: OwnedSemaphorePermit) {
        let mut outbox = self.shared.outbox(self.own);
        outbox.since.get_or_insert_with(Instant::now);
        outbox.add(concluded, permit);
        if outbox.concluded.len() >= self.shared.largest_batch() {
            drop(outbox);
            self.shared.hand_on(self.own);
        }
    }
}

impl Shared {
    /// Keeps back at most an eighth of what may be running, so there is always more to fetch.
    fn largest_batch(&self) -> usize {
        (self.context.config.concurrency / 8).clamp(1, LARGEST_BATCH)
    }

    /// Hands on a lane's outcomes. They stay where they are while there is no room for them because the broker is away.
    fn hand_on(&self, lane: usize) {
        let mut outbox = self.outbox(lane);
        if outbox.concluded.is_empty() {
            return;
        }
        let next = Vec::with_capacity(self.largest_batch());
        let batch = std::mem::replace(&mut outbox.concluded, next);
        match self.context.concluded.try_send(batch) {
            Err(async_channel::TrySendError::Full(batch)) => outbox.concluded = batch,
            // Closed only when the worker has stopped; the leases are released there.
            Ok(()) | Err(async_channel::TrySendError::Closed(_)) => {
                outbox.since = None;
                let permits = outbox.permits.take();
                drop(outbox);
                drop(permits);
            }
        }
    }

    /// Hands on the outcomes of lanes that have kept them for more than a turn, because they are stuck in a call.
    fn relieve(&self, now: Instant) {
        for lane in 0..self.outboxes.len() {
            let kept = self.outbox(lane).since;
            if kept.is_some_and(|since| now.saturating_duration_since(since) >= TURN) {
                self.hand_on(lane);
            }
        }
    }

    /// How long an idle lane waits before it checks again; while no lane keeps outcomes, until it is woken.
    fn patience(&self) -> Option<Duration> {
        let mut lanes = 0..self.outboxes.len();
        let kept = lanes.any(|lane| !self.outbox(lane).concluded.is_empty());
        kept.then_some(TURN)
    }

    fn outbox(&self, lane: usize) -> MutexGuard<'_, Outbox> {
        let outbox = &self.outboxes[lane];
        outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts that were not handed on yet, and their permits, which become free with them.
#[derive(Default)]
struct Outbox {
    concluded: Vec<Concluded>,
    permits: Option<OwnedSemaphorePermit>,
    /// When the first of them ended.
    since: Option<Instant>,
}

impl Outbox {
    fn add(&mut self, concluded: Concluded, permit: OwnedSemaphorePermit) {
        self.concluded.push(concluded);
        match &mut self.permits {
            Some(permits) => permits.merge(permit),
            None => self.permits = Some(permit),
        }
    }
}

/// Tells whether a call that is not done lets others pass or waits.
struct Signal(AtomicBool);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    /// One for each thread, since most calls end without using it.
    static SIGNAL: (Arc<Signal>, Waker) = {
        let signal = Arc::new(Signal(AtomicBool::new(false)));
        (Arc::clone(&signal), Waker::from(signal))
    };
}

/// Starts a call. Returns how it ended, or whether it lets others pass or waits.
fn begin(running: &mut Running) -> Result<Ended, Pause> {
    SIGNAL.with(|(signal, waker)| {
        signal.0.store(false, Ordering::Relaxed);
        match running.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(ended) => Ok(ended),
            Poll::Pending if signal.0.load(Ordering::Relaxed) => Err(Pause::Yields),
            Poll::Pending => Err(Pause::Waits),
        }
    })
}

/// Runs an attempt until it has ended, or leaves the rest of it to the queue.
fn run(context: &Arc<WorkerContext>, ready: Ready) -> Option<(Concluded, OwnedSemaphorePermit)> {
    let Ready { attempt, permit } = ready;
    let (started, running) = start(context, attempt);
    let ended = match running {
        Err(outcome) => outcome.into(),
        Ok(mut running) => match begin(&mut running) {
            Ok(ended) => ended,
            Err(pause) => {
                let computed = started.at.elapsed();
                if let Some(task) = &started.task {
                    let waits = matches!(pause, Pause::Waits);
                    task.profile().was_short(waits && computed < TURN);
                }
                let begun = Begun {
                    started,
                    running,
                    permit,
                };
                Rest::leave(&context.work, begun, pause, computed);
                return None;
            }
        },
    };
    let concluded = conclude(context, started, ended);
    if let Some(task) = concluded.attempt.task() {
        task.profile().was_short(concluded.duration < TURN);
    }
    Some((concluded, permit))
}
