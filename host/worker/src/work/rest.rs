//! A call that did not end on the spot: it waits, or computes for long. It continues on whichever thread is free.
//!
//! Must not know what the call does.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use chicory_queue::Outcome;

use super::turns::Account;
use super::{Begun, Finished, Pause, WorkQueue};
use crate::attempt::Attempt;

/// It waits to be woken.
const WAITING: u8 = 0;
/// It was woken, and waits for a thread.
const QUEUED: u8 = 1;
/// A thread is busy with it.
const RUNNING: u8 = 2;
/// A thread is busy with it, and it was woken meanwhile: it continues after others have had their turn.
const YIELDING: u8 = 3;
/// It has ended.
const ENDED: u8 = 4;

/// The rest of a call.
pub(crate) struct Rest {
    queue: Arc<WorkQueue>,
    state: AtomicU8,
    account: Mutex<Account>,
    attempt: Arc<Attempt>,
    /// Whether it has been told to end because its lease is over.
    told: AtomicBool,
    /// `None` once it has ended or was given up.
    call: Mutex<Option<Begun>>,
}

impl Rest {
    /// Leaves the rest of a call that has computed for this long to whichever thread is free. A call that waits does
    /// not know yet whom to wake, so it is polled again soon.
    pub(crate) fn leave(queue: &Arc<WorkQueue>, begun: Begun, pause: Pause, computed: Duration) {
        let now = Instant::now();
        let mut account = Account::new(computed, now);
        let level = match pause {
            Pause::Yields => account.yielded(),
            Pause::Waits => account.woken(now),
        };
        let rest = Arc::new(Self {
            queue: Arc::clone(queue),
            state: AtomicU8::new(QUEUED),
            account: Mutex::new(account),
            attempt: Arc::clone(&begun.started.attempt),
            told: AtomicBool::new(false),
            call: Mutex::new(Some(begun)),
        });
        queue.keep(&rest);
        queue.resume(level, rest);
    }

    /// Whether its lease is over. It then ends the next time it is looked at.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.attempt.lease_time.is_over(now)
    }

    /// Makes sure it is looked at soon. Returns whether this is the first time.
    pub(super) fn stop(self: &Arc<Self>) -> bool {
        let is_new = !self.told.swap(true, Ordering::Relaxed);
        self.wake_by_ref();
        is_new
    }

    /// Continues until it ends, waits, or lets others pass. A call whose lease is over ends here.
    pub(crate) fn resume(self: &Arc<Self>) -> Option<Finished> {
        let from = Instant::now();
        let mut call = lock(&self.call);
        self.state.store(RUNNING, Ordering::SeqCst);
        let begun = call.as_mut()?;
        // Checked here, since the process may have been frozen until now.
        let polled = if self.is_over(from) {
            Poll::Ready(Outcome::Interrupted.into())
        } else {
            let waker = Waker::from(Arc::clone(self));
            let running = begun.running.as_mut();
            running.poll(&mut Context::from_waker(&waker))
        };
        if let Poll::Ready(ended) = polled {
            self.state.store(ENDED, Ordering::SeqCst);
            let begun = call.take()?;
            drop(call);
            self.queue.forget(self);
            return Some(Finished {
                started: begun.started,
                ended,
                permit: begun.permit,
            });
        }
        drop(call);
        let now = Instant::now();
        let level = {
            let mut account = lock(&self.account);
            account.add(now.saturating_duration_since(from), now);
            account.yielded()
        };
        if self.change(RUNNING, WAITING) {
            return None;
        }
        self.state.store(QUEUED, Ordering::SeqCst);
        self.queue.resume(level, Arc::clone(self));
        None
    }

    /// Drops the call, unless a thread is busy with it: that thread drops it.
    pub(super) fn give_up(&self) {
        let call = self.call.try_lock().ok().and_then(|mut call| call.take());
        drop(call);
    }

    fn change(&self, from: u8, to: u8) -> bool {
        let changed = (self.state).compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        changed.is_ok()
    }
}

impl Wake for Rest {
    fn wake(self: Arc<Self>) {
        loop {
            match self.state.load(Ordering::SeqCst) {
                WAITING if self.change(WAITING, QUEUED) => break,
                RUNNING if self.change(RUNNING, YIELDING) => return,
                // It changed in between.
                WAITING | RUNNING => {}
                _ => return,
            }
        }
        let level = lock(&self.account).woken(Instant::now());
        let queue = Arc::clone(&self.queue);
        queue.resume(level, self);
    }
}

/// A panic in a call ends the worker; nobody looks at the call again.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
