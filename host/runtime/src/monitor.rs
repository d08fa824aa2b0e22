//! What the host tracks about one running call: its clock, its CPU time, its log, the bytes that it holds.
//!
//! Shared by the store, its streams and the future that drives them. Must not know what happens when a limit
//! is exceeded.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::call_log::CallLog;
use crate::limits::ResolvedLimits;
use crate::memory::CallMemory;

/// Nothing is being polled.
const IDLE: u64 = u64::MAX;

/// One call's clock, log and memory.
pub(crate) struct Monitor {
    start: Instant,
    /// Nanoseconds spent in polls that are over.
    spent: AtomicU64,
    /// When the current poll began, in nanoseconds after `start`.
    since: AtomicU64,
    log: Mutex<CallLog>,
    memory: CallMemory,
    /// Bytes that were written to directories.
    written: AtomicU64,
    most_written: u64,
}

impl Monitor {
    /// Starts the clock.
    pub(crate) fn start(log: CallLog, limits: &ResolvedLimits) -> Self {
        Monitor {
            start: Instant::now(),
            spent: AtomicU64::new(0),
            since: AtomicU64::new(IDLE),
            log: Mutex::new(log),
            memory: CallMemory::new(limits.memory),
            written: AtomicU64::new(0),
            most_written: limits.write_bytes,
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

    /// What it holds.
    pub(crate) fn memory(&self) -> &CallMemory {
        &self.memory
    }

    /// Counts bytes that are about to be written to a directory. The error is the limit.
    pub(crate) fn write(&self, bytes: u64) -> Result<(), u64> {
        let written = self.written.load(Ordering::Relaxed).saturating_add(bytes);
        if written > self.most_written {
            return Err(self.most_written);
        }
        self.written.store(written, Ordering::Relaxed);
        Ok(())
    }

    /// The log.
    pub(crate) fn log(&self) -> Logging<'_> {
        Logging {
            log: self.log.lock().unwrap_or_else(PoisonError::into_inner),
            memory: &self.memory,
        }
    }
}

/// The log while somebody has it. What it grew by is counted afterwards.
pub(crate) struct Logging<'a> {
    log: MutexGuard<'a, CallLog>,
    memory: &'a CallMemory,
}

impl Deref for Logging<'_> {
    type Target = CallLog;

    fn deref(&self) -> &CallLog {
        &self.log
    }
}

impl DerefMut for Logging<'_> {
    fn deref_mut(&mut self) -> &mut CallLog {
        &mut self.log
    }
}

impl Drop for Logging<'_> {
    fn drop(&mut self) {
        let grown = self.log.grown();
        if grown > 0 && self.memory.charge(grown).is_err() {
            self.log.close();
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(IDLE - 1)
}
