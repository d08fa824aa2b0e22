//! How long a lease may still be relied on, by this machine's monotonic clock.
//!
//! Its time counts from before the broker was asked for it, so it never seems younger than it is: a task is stopped
//! before another worker can have its message, even if this process was frozen meanwhile. Must not know who renews it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is known of one lease's time. All numbers are milliseconds.
#[derive(Debug)]
pub(crate) struct LeaseTime {
    /// Just before the broker was asked for the delivery.
    asked: Instant,
    /// How long after a renewal the task must have stopped.
    usable: u64,
    /// How long after a renewal the next one is due.
    due: u64,
    /// How long after `asked` the task must have stopped.
    ends: AtomicU64,
}

/// `ends` of a lease that another worker has, or that is gone.
const LOST: u64 = 0;
/// `ends` of a message that was acknowledged: it has no lease that could end.
const ACKNOWLEDGED: u64 = u64::MAX;
/// Leases are given up this long before they end, but not more than a quarter of their time: a lane notices within
/// a turn, the duty that looks within a second.
const MARGIN: Duration = Duration::from_secs(2);

impl LeaseTime {
    /// A lease of this duration that the broker was asked for at `asked`.
    pub(crate) fn new(asked: Instant, duration: Duration) -> Self {
        let usable = millis(duration.saturating_sub(MARGIN.min(duration / 4)));
        Self {
            asked,
            usable,
            due: millis(duration / 3),
            ends: AtomicU64::new(usable),
        }
    }

    /// Whether its task must not go on.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.at(now) >= self.ends.load(Ordering::Relaxed)
    }

    /// Whether it should be renewed.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match self.ends.load(Ordering::Relaxed) {
            LOST | ACKNOWLEDGED => false,
            ends => self.at(now) >= (ends - self.usable).saturating_add(self.due),
        }
    }

    /// The broker has renewed it, not before `asked`.
    pub(crate) fn renewed(&self, asked: Instant) {
        self.now_ends(self.at(asked).saturating_add(self.usable));
    }

    /// The broker says that it is not held any more.
    pub(crate) fn lost(&self) {
        self.now_ends(LOST);
    }

    /// The message was acknowledged: there is no lease whose end the task could meet.
    pub(crate) fn ended(&self) {
        self.ends.store(ACKNOWLEDGED, Ordering::Relaxed);
    }

    /// A message that was acknowledged while its renewal was under way has no lease that this could be about: its task
    /// goes on.
    fn now_ends(&self, ends: u64) {
        let change = |now: u64| (now != ACKNOWLEDGED).then_some(ends);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // None where it was acknowledged.
        let _ = self.ends.fetch_update(set, fetch, change);
    }

    fn at(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.asked))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_before_the_lease_can_end_and_due_long_before() {
        for (lease, due, over) in [(1200, 400, 900), (30_000, 10_000, 28_000)] {
            let asked = Instant::now();
            let at = |ms| asked + Duration::from_millis(ms);
            let time = LeaseTime::new(asked, Duration::from_millis(lease));
            assert!(!time.is_due(at(due - 1)) && time.is_due(at(due)));
            assert!(!time.is_over(at(over - 1)) && time.is_over(at(over)));
            // Renewed at half its time, by a request that was sent then.
            time.renewed(at(lease / 2));
            assert!(!time.is_due(at(lease / 2 + due - 1)) && time.is_due(at(lease / 2 + due)));
            assert!(!time.is_over(at(lease / 2 + over - 1)) && time.is_over(at(lease / 2 + over)));
        }
    }

    /// The answer to a renewal that was under way says that the lease is gone, or that it holds.
    #[test]
    fn an_acknowledged_message_has_no_lease_that_could_end() {
        let asked = Instant::now();
        let time = LeaseTime::new(asked, Duration::from_secs(30));
        time.ended();
        time.lost();
        time.renewed(asked);
        let later = asked + Duration::from_hours(1);
        assert!(!time.is_over(later) && !time.is_due(later));
    }

    #[test]
    fn a_lost_lease_is_over_at_once_and_never_due() {
        let asked = Instant::now();
        let time = LeaseTime::new(asked, Duration::from_secs(30));
        time.lost();
        assert!(time.is_over(asked) && !time.is_due(asked + Duration::from_mins(1)));
    }
}
