//! The current time, for everything that depends on it.
//!
//! Must not know who asks.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::Timestamp;

/// A source of the current time.
pub trait Clock: Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// The time that a store goes by in place of its own clock. Only a clock that a test moves has one.
    fn of_stores(&self) -> Option<Timestamp> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved, for tests.
///
/// ```
/// use std::time::Duration;
///
/// use chicory_clock::{Clock, ManualClock, Timestamp};
///
/// let start = Timestamp::parse("2026-01-24T10:30:00Z")?;
/// let clock = ManualClock::new(start);
/// clock.advance(Duration::from_millis(1500));
/// assert_eq!(clock.now().since(start).as_millis(), 1500);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_micros()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn of_stores(&self) -> Option<Timestamp> {
        Some(self.now())
    }
}
