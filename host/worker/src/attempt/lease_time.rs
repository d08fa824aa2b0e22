//! How long a lease may still be relied on, by this machine's monotonic clock.
//!
//! The time counts from before the broker was asked, so a lease never seems younger than it is: a task is stopped
//! before another worker can have its message, even if this process was frozen meanwhile. Must not know who renews it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is known about the time of one lease. All numbers are milliseconds.
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

/// `ends` of a lease that another worker holds, or that is gone.
const LOST: u64 = 0;
/// `ends` of a message that was acknowledged: it has no lease that could end.
const ACKNOWLEDGED: u64 = u64::MAX;
/// Leases are given up this long before they end, but by no more than a quarter of their time. A lane notices within a
/// turn, the renewing duty within a second.
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

    /// Whether its task must not continue.
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

    /// The broker says that it is no longer held.
    pub(crate) fn lost(&self) {
        self.now_ends(LOST);
    }

    /// The message was acknowledged, so there is no lease that could end while the task runs.
    pub(crate) fn ended(&self) {
        self.ends.store(ACKNOWLEDGED, Ordering::Relaxed);
    }

    /// If a message was acknowledged while its renewal was under way, there is no lease left for this to apply to, and
    /// its task continues.
    fn now_ends(&self, ends: u64) {
        let change = |now: u64| (now != ACKNOWLEDGED).then_some(ends);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // `None` if it was acknowledged.
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
            // Renewed at half its time, by a request sent at that moment.
            time.renewed(at(lease / 2));
            assert!(!time.is_due(at(lease / 2 + due - 1)) && time.is_due(at(lease / 2 + due)));
            assert!(!time.is_over(at(lease / 2 + over - 1)) && time.is_over(at(lease / 2 + over)));
        }
    }

    /// The answer to a renewal that was under way says that the lease is gone, or that it is held.
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
