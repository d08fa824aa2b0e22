//! How tries on a canary and beside it end, counted here and added up in the registry; and what follows.
//!
//! Must not judge: [`chicory_queue::judge`] does.

use std::sync::atomic::{AtomicU64, Ordering};

use chicory_queue::{AuditEntry, CanaryCounts, ModuleRecord, Outcome, Verdict, judge};

use super::Fleet;

/// Ends that the registry has not been told of.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    canary_ok: AtomicU64,
    canary_failed: AtomicU64,
    active_ok: AtomicU64,
    active_failed: AtomicU64,
}

impl Tally {
    /// Counts an end. An interruption says nothing about a version.
    pub(crate) fn count(&self, canary: bool, outcome: &Outcome) {
        let counter = match (outcome, canary) {
            (Outcome::Interrupted, _) => return,
            (Outcome::Completed { .. }, true) => &self.canary_ok,
            (Outcome::Completed { .. }, false) => &self.active_ok,
            (Outcome::Failed(_), true) => &self.canary_failed,
            (Outcome::Failed(_), false) => &self.active_failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> CanaryCounts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        CanaryCounts {
            canary_ok: take(&self.canary_ok),
            canary_failed: take(&self.canary_failed),
            active_ok: take(&self.active_ok),
            active_failed: take(&self.active_failed),
        }
    }

    fn put_back(&self, counts: CanaryCounts) {
        let add = |counter: &AtomicU64, number| counter.fetch_add(number, Ordering::Relaxed);
        add(&self.canary_ok, counts.canary_ok);
        add(&self.canary_failed, counts.canary_failed);
        add(&self.active_ok, counts.active_ok);
        add(&self.active_failed, counts.active_failed);
    }
}

impl Fleet {
    /// Tells the registry of ends beside canaries, and ends or promotes those that have been long enough.
    pub(super) async fn judge_canaries(&mut self) {
        let on_trial = self.open.values().filter(|record| record.canary.is_some());
        for record in on_trial.cloned().collect::<Vec<_>>() {
            self.judge_canary(record).await;
        }
        let open: Vec<_> = self
            .open
            .values()
            .filter_map(|record| record.canary.as_ref())
            .collect();
        self.tallies
            .retain(|id, _| open.iter().any(|canary| canary.id == *id));
    }

    async fn judge_canary(&mut self, record: ModuleRecord) {
        let Some(canary) = record.canary.clone() else {
            return;
        };
        let tally = self.tallies.entry(canary.id.clone()).or_default();
        let added = tally.take();
        let counts = match self.registry.count(&canary.id, added).await {
            Ok(counts) => counts,
            Err(error) => {
                tally.put_back(added);
                tracing::debug!(%error, "the canary's counts can't be told");
                return;
            }
        };
        let now = self.clock.now();
        let (next, action, detail) = match judge(&canary, &counts, now) {
            Verdict::Wait => return,
            Verdict::RollBack(reason) => (record.end_canary(&canary.id), "rollback", reason),
            Verdict::Promote => {
                let detail = format!("the canary held for {} seconds", canary.terms.hold);
                let next = record.promote_canary(&canary.id, &self.worker_id, now);
                (next, "promote", detail)
            }
        };
        let Ok(next) = next else {
            return;
        };
        let entry = AuditEntry {
            at: now,
            by: self.worker_id.clone(),
            action: action.into(),
            module: next.name.clone(),
            digest: canary.digest,
            detail,
        };
        // Where another worker was first, the next look brings what it did.
        self.settle_record(&next, &entry).await;
    }
}
