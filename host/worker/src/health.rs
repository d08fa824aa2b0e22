//! Whether the broker can be used: a change is noticed once, by whichever duty sees it first, and an outage is logged
//! again each minute while it lasts.
//!
//! Some requests may fail while others succeed: a server that is out of memory still answers reads. Only a request that
//! failed can show that the outage is over. Must not know who asks the broker for what.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Who asked: the place in the code.
type Asker = &'static Location<'static>;

/// Whether the broker can be used.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// For the usual case, which takes no lock.
    lost: AtomicBool,
    outage: Mutex<Outage>,
}

#[derive(Debug, Default)]
struct Outage {
    /// When each asker last failed, for those that have not succeeded since.
    failed: HashMap<Asker, Instant>,
    said: Option<Instant>,
}

/// What a failure means to the reader of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// New.
    First,
    /// Known, and not logged for a while.
    Still,
    /// Known.
    Again,
}

/// How often a lasting state is logged.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// Whoever fails tries again within this time, or is too rare to show the end of an outage.
const TRIED_AGAIN: Duration = Duration::from_secs(3);

impl Health {
    /// The broker has answered. Returns whether that ends an outage.
    pub(crate) fn ok(&self, asker: Asker) -> bool {
        self.lost.load(Ordering::Relaxed) && self.over(asker, Instant::now())
    }

    fn over(&self, asker: Asker, now: Instant) -> bool {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        // Others have failed, and this one never did.
        if outage.failed.remove(asker).is_none() && !outage.failed.is_empty() {
            return false;
        }
        let recent = |at: &Instant| now.saturating_duration_since(*at) < TRIED_AGAIN;
        if outage.failed.values().any(recent) {
            return false;
        }
        *outage = Outage::default();
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// The broker has failed. Returns what that means to the reader of the log.
    pub(crate) fn failed(&self, asker: Asker) -> Failed {
        self.note(asker, Instant::now())
    }

    fn note(&self, asker: Asker, now: Instant) -> Failed {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.failed.insert(asker, now);
        let failed = match outage.said {
            None => Failed::First,
            Some(said) if now.saturating_duration_since(said) >= SAID_EVERY => Failed::Still,
            Some(_) => return Failed::Again,
        };
        outage.said = Some(now);
        self.lost.store(true, Ordering::Release);
        failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case Q9: a server that is out of memory, where reads succeed while writes fail.
    #[test]
    fn a_read_does_not_end_an_outage_of_writes() {
        let (read, write, beat) = (Location::caller(), here(), here_too());
        let health = Health::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!health.ok(read), "nothing is over");
        assert_eq!(health.note(write, start), Failed::First);
        for second in 1..60 {
            assert!(!health.over(read, after(second)));
            assert_eq!(health.note(write, after(second)), Failed::Again);
        }
        assert_eq!(health.note(write, after(60)), Failed::Still);
        assert_eq!(health.note(beat, after(60)), Failed::Again);
        assert!(!health.over(write, after(61)), "heartbeats may still fail");
        assert!(!health.over(read, after(62)));
        assert!(health.over(beat, after(62)));
        assert!(!health.ok(beat), "said once");
        assert_eq!(health.note(read, after(70)), Failed::First);
    }

    fn here() -> Asker {
        Location::caller()
    }

    fn here_too() -> Asker {
        Location::caller()
    }
}
