//! How attempts on a canary and on the active version beside it end, counted until the registry is told.
//!
//! Must not know what follows from the counts.

use std::sync::atomic::{AtomicU64, Ordering};

use chicory_queue::{CanaryCounts, Outcome};

/// Outcomes that the registry has not been told about.
#[derive(Debug, Default)]
pub(crate) struct CanaryCounters {
    canary_ok: AtomicU64,
    canary_failed: AtomicU64,
    active_ok: AtomicU64,
    active_failed: AtomicU64,
}

impl CanaryCounters {
    /// Counts an outcome. What was interrupted or has not run says nothing about a version.
    pub(crate) fn count(&self, canary: bool, outcome: &Outcome) {
        let counter = match (outcome, canary) {
            (Outcome::Interrupted | Outcome::Postponed { .. }, _) => return,
            (Outcome::Completed { .. }, true) => &self.canary_ok,
            (Outcome::Completed { .. }, false) => &self.active_ok,
            (Outcome::Failed(_), true) => &self.canary_failed,
            (Outcome::Failed(_), false) => &self.active_failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> CanaryCounts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        CanaryCounts {
            canary_ok: take(&self.canary_ok),
            canary_failed: take(&self.canary_failed),
            active_ok: take(&self.active_ok),
            active_failed: take(&self.active_failed),
        }
    }

    pub(crate) fn put_back(&self, counts: CanaryCounts) {
        let add = |counter: &AtomicU64, number| counter.fetch_add(number, Ordering::Relaxed);
        add(&self.canary_ok, counts.canary_ok);
        add(&self.canary_failed, counts.canary_failed);
        add(&self.active_ok, counts.active_ok);
        add(&self.active_failed, counts.active_failed);
    }
}
