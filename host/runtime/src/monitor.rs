//! What the host tracks about one running call: its clock, its CPU time, its log.
//!
//! Shared by the store, its streams and the future that drives them. Must not know what happens when a limit
//! is exceeded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::call_log::CallLog;

/// Nothing is being polled.
const IDLE: u64 = u64::MAX;

/// One call's clock and log.
pub(crate) struct Monitor {
    start: Instant,
    /// Nanoseconds spent in polls that are over.
    spent: AtomicU64,
    /// When the current poll began, in nanoseconds after `start`.
    since: AtomicU64,
    log: Mutex<CallLog>,
}

impl Monitor {
    /// Starts the clock.
    pub(crate) fn start(log: CallLog) -> Self {
        Monitor {
            start: Instant::now(),
            spent: AtomicU64::new(0),
            since: AtomicU64::new(IDLE),
            log: Mutex::new(log),
        }
    }

    /// When the call began.
    pub(crate) fn started(&self) -> Instant {
        self.start
    }

    /// Runs one poll of the call and measures its time.
    pub(crate) fn timed<T>(&self, poll: impl FnOnce() -> T) -> T {
        let before = nanoseconds(self.start.elapsed());
        self.since.store(before, Ordering::Relaxed);
        let polled = poll();
        let after = nanoseconds(self.start.elapsed());
        self.since.store(IDLE, Ordering::Relaxed);
        self.spent
            .fetch_add(after.saturating_sub(before), Ordering::Relaxed);
        polled
    }

    /// Time spent in polls, including the current one.
    pub(crate) fn cpu(&self) -> Duration {
        let current = match self.since.load(Ordering::Relaxed) {
            IDLE => 0,
            since => nanoseconds(self.start.elapsed()).saturating_sub(since),
        };
        Duration::from_nanos(self.spent.load(Ordering::Relaxed) + current)
    }

    /// The log.
    pub(crate) fn log(&self) -> MutexGuard<'_, CallLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(IDLE - 1)
}
