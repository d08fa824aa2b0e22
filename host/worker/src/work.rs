//! The work of the threads that run tasks: attempts that may start, and calls that may go on. All threads take from one
//! queue, so a thread that is stuck holds up only what it runs itself.
//!
//! Must not know how an attempt is started or what becomes of its outcome.

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
    /// An attempt starts.
    Start(Ready),
    /// A call goes on.
    Resume(Arc<Rest>),
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
    /// It lets others pass, and can go on at once.
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
    /// There was none for as long as it wanted to wait.
    Late,
    /// There will be none.
    Closed,
}

/// All work that waits for a thread.
pub(crate) struct WorkQueue {
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    turns: Turns<Work>,
    /// Attempts among it.
    starts: usize,
    /// Threads that wait for work.
    idle: usize,
    /// Calls that did not end on the spot, by the address of each. They are kept here, since what they wait for may
    /// forget them.
    rest: HashMap<usize, Arc<Rest>>,
    closed: bool,
}

impl WorkQueue {
    /// An empty queue for this number of threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            state: Mutex::new(State {
                turns: Turns::new(threads),
                starts: 0,
                idle: 0,
                rest: HashMap::new(),
                closed: false,
            }),
            more: Condvar::new(),
        }
    }

    /// Attempts may start.
    pub(crate) fn start(&self, ready: impl Iterator<Item = Ready>) {
        let mut state = self.lock();
        let before = state.starts;
        for ready in ready {
            state.turns.push(Level::First, Work::Start(ready));
            state.starts += 1;
        }
        let added = state.starts - before;
        self.wake(state, added);
    }

    /// The number of attempts that wait to start.
    pub(crate) fn waiting_to_start(&self) -> usize {
        self.lock().starts
    }

    /// What a thread is to do next; none where nothing waits, or nothing is to be done any more.
    pub(crate) fn next(&self, now: Instant) -> Option<Work> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let work = state.turns.next(now)?;
        if matches!(work, Work::Start(_)) {
            state.starts -= 1;
        }
        Some(work)
    }

    /// Waits for work, or for as long as `patience` says once there is known to be none.
    pub(crate) fn wait(&self, patience: impl FnOnce() -> Option<Duration>) -> Woken {
        let mut state = self.lock();
        if state.closed {
            return Woken::Closed;
        }
        if !state.turns.is_empty() {
            return Woken::Work;
        }
        let patience = patience();
        state.idle += 1;
        let (mut state, by_time) = match patience {
            None => {
                let woken = self.more.wait(state);
                (woken.unwrap_or_else(PoisonError::into_inner), false)
            }
            Some(patience) => {
                let woken = self.more.wait_timeout(state, patience);
                let (state, waited) = woken.unwrap_or_else(PoisonError::into_inner);
                (state, waited.timed_out())
            }
        };
        state.idle -= 1;
        if by_time { Woken::Late } else { Woken::Work }
    }

    /// No more work is given out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// Drops all that waits, and every call that no thread is busy with.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        let waiting = state.turns.clear();
        state.starts = 0;
        let rest = std::mem::take(&mut state.rest);
        drop(state);
        drop(waiting);
        for call in rest.into_values() {
            call.give_up();
        }
    }

    /// A call goes on when a thread is free.
    fn resume(&self, level: Level, rest: Arc<Rest>) {
        let mut state = self.lock();
        if !state.closed {
            state.turns.push(level, Work::Resume(rest));
            self.wake(state, 1);
        }
    }

    /// Wakes the calls whose leases are over, so that they end. Returns the number of those that are new.
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

    /// Wakes as many idle threads as there is new work for.
    fn wake(&self, state: MutexGuard<'_, State>, added: usize) {
        let idle = state.idle;
        drop(state);
        if added >= idle && idle > 1 {
            self.more.notify_all();
        } else {
            for _ in 0..added.min(idle) {
                self.more.notify_one();
            }
        }
    }

    /// No code panics under this lock; were it to happen, the queue would still be whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(rest: &Arc<Rest>) -> usize {
    Arc::as_ptr(rest).addr()
}
