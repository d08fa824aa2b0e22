//! The work of the threads that run tasks: attempts that may start, and calls that may continue. All threads take from
//! one queue, so a stuck thread holds up only what it runs itself.
//!
//! There are two kinds of threads, as many of each as may compute at a time. The kernel prefers a thread that was
//! waiting. So work that is known to be short, which has one kind to itself, starts at once even if all the other
//! threads are computing, or are copying something large, which nothing can interrupt. They give way at the end of
//! their turn.
//!
//! Must not know how an attempt is started or what happens to its outcome.

mod rest;
mod turns;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use self::turns::{Level, Turns};
use crate::attempt::runner::{Ended, Running};
use crate::attempt::{Ready, Started};

pub(crate) use self::rest::Rest;

/// What a thread does next.
pub(crate) enum Work {
    /// An attempt to start.
    Start(Ready),
    /// A call to continue.
    Resume(Arc<Rest>),
}

/// What a thread is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Work that is known to be short.
    Quick,
    /// All other work.
    Patient,
}

/// A thread's place at the queue.
pub(crate) struct Seat {
    kind: Kind,
    busy: bool,
}

impl Seat {
    /// The seat of a thread that has nothing to do yet.
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, busy: false }
    }
}

/// A call that has started.
pub(crate) struct Begun {
    pub(crate) started: Started,
    pub(crate) running: Running,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Why a call is not done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pause {
    /// It lets others pass, and can continue at once.
    Yields,
    /// It waits for something.
    Waits,
}

/// A call that has ended.
pub(crate) struct Finished {
    pub(crate) started: Started,
    pub(crate) ended: Ended,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Why a thread need not wait any longer.
pub(crate) enum Woken {
    /// There may be work.
    Work,
    /// There was no work for as long as it wanted to wait.
    Late,
    /// There will be no more work.
    Closed,
}

/// All work that waits for a thread.
pub(crate) struct WorkQueue {
    /// How many threads may compute at a time.
    threads: usize,
    state: Mutex<State>,
    more: [Condvar; 2],
}

struct State {
    turns: Turns<Work>,
    /// Number of attempts among it that are known to be short.
    short_starts: usize,
    /// Threads of each kind that wait for work.
    idle: [usize; 2],
    /// Number of threads that are at work.
    busy: usize,
    /// Calls that did not end on the spot, each by its address. They are kept here, because what they wait for may
    /// forget them.
    rest: HashMap<usize, Arc<Rest>>,
    closed: bool,
}

impl WorkQueue {
    /// An empty queue for this number of threads of each kind.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            state: Mutex::new(State {
                turns: Turns::new(threads),
                short_starts: 0,
                idle: [0; 2],
                busy: 0,
                rest: HashMap::new(),
                closed: false,
            }),
            more: [Condvar::new(), Condvar::new()],
        }
    }

    /// Adds attempts that may start.
    pub(crate) fn start(&self, ready: impl Iterator<Item = Ready>) {
        let mut state = self.lock();
        let mut added = [0; 2];
        for ready in ready {
            let kind = if ready.is_short() {
                state.short_starts += 1;
                state.turns.push(Level::First, Work::Start(ready));
                Kind::Quick
            } else {
                state.turns.push(Level::Short, Work::Start(ready));
                Kind::Patient
            };
            added[kind as usize] += 1;
        }
        self.wake(state, added);
    }

    /// The number of attempts that wait to start, and are known to be short.
    pub(crate) fn short_starts(&self) -> usize {
        self.lock().short_starts
    }

    /// What a thread does next; `None` if nothing is waiting for it, or the queue is closed.
    pub(crate) fn next(&self, seat: &mut Seat, now: Instant) -> Option<Work> {
        let mut state = self.lock();
        if std::mem::take(&mut seat.busy) {
            state.busy -= 1;
        }
        if state.closed {
            return None;
        }
        let work = match seat.kind {
            Kind::Quick => state.turns.next_first(),
            Kind::Patient => {
                let may_compute = state.busy < self.threads;
                state.turns.next_lower(now, may_compute)
            }
        };
        let Some(work) = work else {
            if seat.kind == Kind::Quick && state.turns.has_lower() {
                // A patient one may take its place.
                self.wake(state, [0, 1]);
            }
            return None;
        };
        if seat.kind == Kind::Quick && matches!(work, Work::Start(_)) {
            state.short_starts -= 1;
        }
        state.busy += 1;
        seat.busy = true;
        Some(work)
    }

    /// Waits for work; once it is known that there is none, for as long as `patience` says.
    pub(crate) fn wait(&self, seat: &Seat, patience: impl FnOnce() -> Option<Duration>) -> Woken {
        let mut state = self.lock();
        if state.closed {
            return Woken::Closed;
        }
        let mut patience = match seat.kind {
            Kind::Quick if state.turns.has_first() => return Woken::Work,
            Kind::Patient if state.turns.has_lower() && state.busy < self.threads => {
                return Woken::Work;
            }
            _ => patience(),
        };
        if seat.kind == Kind::Patient {
            let share = state.turns.patience(Instant::now());
            patience = patience.into_iter().chain(share).min();
        }
        let more = &self.more[seat.kind as usize];
        state.idle[seat.kind as usize] += 1;
        let (mut state, by_time) = match patience {
            None => {
                let woken = more.wait(state);
                (woken.unwrap_or_else(PoisonError::into_inner), false)
            }
            Some(patience) => {
                let woken = more.wait_timeout(state, patience);
                let (state, waited) = woken.unwrap_or_else(PoisonError::into_inner);
                (state, waited.timed_out())
            }
        };
        state.idle[seat.kind as usize] -= 1;
        if by_time { Woken::Late } else { Woken::Work }
    }

    /// No more work is given out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        for more in &self.more {
            more.notify_all();
        }
    }

    /// Drops everything that waits, and every call that no thread is busy with.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        let waiting = state.turns.clear();
        state.short_starts = 0;
        let rest = std::mem::take(&mut state.rest);
        drop(state);
        drop(waiting);
        for call in rest.into_values() {
            call.give_up();
        }
    }

    /// Lets a call continue when a thread is free.
    fn resume(&self, level: Level, rest: Arc<Rest>) {
        let mut state = self.lock();
        if !state.closed {
            state.turns.push(level, Work::Resume(rest));
            let added = match level {
                Level::First => [1, 0],
                Level::Short | Level::Long => [0, 1],
            };
            self.wake(state, added);
        }
    }

    /// Wakes the calls whose leases are over, so they end. Returns the number of newly stopped ones.
    pub(crate) fn stop_over(&self, now: Instant) -> usize {
        let over: Vec<_> = {
            let state = self.lock();
            let over = state.rest.values().filter(|rest| rest.is_over(now));
            over.cloned().collect()
        };
        over.iter().filter(|rest| rest.stop()).count()
    }

    fn keep(&self, rest: &Arc<Rest>) {
        self.lock().rest.insert(address(rest), Arc::clone(rest));
    }

    fn forget(&self, rest: &Arc<Rest>) {
        self.lock().rest.remove(&address(rest));
    }

    /// Wakes as many idle threads of each kind as there is new work for, as far as they may compute.
    fn wake(&self, state: MutexGuard<'_, State>, added: [usize; 2]) {
        let mut idle = state.idle;
        let patient = &mut idle[Kind::Patient as usize];
        *patient = (*patient).min(self.threads.saturating_sub(state.busy));
        drop(state);
        for ((more, idle), added) in self.more.iter().zip(idle).zip(added) {
            for _ in 0..added.min(idle) {
                more.notify_one();
            }
        }
    }

    /// No code panics under this lock. Even if it did, the queue would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(rest: &Arc<Rest>) -> usize {
    Arc::as_ptr(rest).addr()
}
