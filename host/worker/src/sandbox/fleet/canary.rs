//! Adds up in the registry how attempts on canaries and beside them end, and acts on the counts.
//!
//! Must not judge: [`chicory_queue::judge`] does.

use chicory_queue::{AuditEntry, ModuleRecord, Verdict, judge};
use chicory_signature::with_causes;

use super::Fleet;

impl Fleet {
    /// Reports outcomes beside canaries to the registry, and ends or promotes the canaries whose time has come.
    pub(crate) async fn judge_canaries(&mut self) {
        let on_trial = self.open.values().filter(|record| record.canary.is_some());
        for record in on_trial.cloned().collect::<Vec<_>>() {
            self.judge_canary(record).await;
        }
        let open: Vec<_> = self
            .open
            .values()
            .filter_map(|record| record.canary.as_ref())
            .collect();
        self.counters
            .retain(|id, _| open.iter().any(|canary| canary.id == *id));
    }

    async fn judge_canary(&mut self, record: ModuleRecord) {
        let Some(canary) = record.canary.clone() else {
            return;
        };
        let counters = self.counters.entry(canary.id.clone()).or_default();
        let added = counters.take();
        let counts = match self.registry.count(&canary.id, added).await {
            Ok(counts) => counts,
            Err(error) => {
                counters.put_back(added);
                tracing::debug!(error = %with_causes(&error), "the canary's counts can't be reported");
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
        // If another worker was first, the next look shows what it did.
        self.settle_record(&next, &entry).await;
    }
}
