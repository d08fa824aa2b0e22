//! Whether a canary goes on, is rolled back or becomes the active version: a pure function.
//!
//! Must not know who counts, nor who acts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Canary;
use chicory_clock::Timestamp;

/// Ends of tasks since a canary began: its own, and the active version's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryCounts {
    /// Tries on the canary that succeeded.
    pub canary_ok: u64,
    /// Tries on the canary that failed.
    pub canary_failed: u64,
    /// Tries on the active version that succeeded.
    pub active_ok: u64,
    /// Tries on the active version that failed.
    pub active_failed: u64,
}

impl CanaryCounts {
    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to become of a canary.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It goes on.
    Wait,
    /// It fails more than it may; the reason, with figures.
    RollBack(String),
    /// It has held.
    Promote,
}

/// Judges a canary by what all workers have counted.
///
/// It is rolled back once at least `min_tasks` tries have ended on it and its share of failures is more
/// than `margin` percentage points above the active version's; or earlier, once so many have failed that
/// it would be even if all that is missing to `min_tasks` succeeded. It is promoted when it has held for
/// `hold` seconds with at least `min_tasks` tries.
pub fn judge(canary: &Canary, counts: &CanaryCounts, now: Timestamp) -> Verdict {
    let terms = &canary.terms;
    let tries = counts.canary_ok + counts.canary_failed;
    let failing = share(counts.canary_failed, tries.max(terms.min_tasks));
    let normal = share(
        counts.active_failed,
        counts.active_ok + counts.active_failed,
    );
    if failing > normal + terms.margin {
        return Verdict::RollBack(format!(
            "{} of {tries} tries failed on the canary, {} of {} on the active version; {} percentage points more are allowed",
            counts.canary_failed,
            counts.active_failed,
            counts.active_ok + counts.active_failed,
            terms.margin
        ));
    }
    let hold = Duration::try_from_secs_f64(terms.hold).unwrap_or(Duration::MAX);
    if now.since(canary.since) >= hold && tries >= terms.min_tasks {
        Verdict::Promote
    } else {
        Verdict::Wait
    }
}

/// In percent; none is 0.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let (part, whole) = (part as f64, whole.max(1) as f64);
    100.0 * part / whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CanaryTerms;

    fn judged(counts: [u64; 4], seconds: i64) -> Verdict {
        let [canary_ok, canary_failed, active_ok, active_failed] = counts;
        let canary = Canary {
            id: "c".into(),
            digest: "d".into(),
            by: "me".into(),
            since: Timestamp::from_micros(0),
            terms: CanaryTerms::default(),
        };
        let counts = CanaryCounts {
            canary_ok,
            canary_failed,
            active_ok,
            active_failed,
        };
        judge(
            &canary,
            &counts,
            Timestamp::from_micros(seconds * 1_000_000),
        )
    }

    #[test]
    fn it_is_judged_against_the_active_version() {
        assert_eq!(judged([0, 0, 0, 0], 600), Verdict::Wait);
        assert_eq!(judged([19, 0, 900, 0], 600), Verdict::Wait, "too few tries");
        assert_eq!(judged([20, 0, 900, 0], 59), Verdict::Wait, "too early");
        assert_eq!(judged([20, 0, 900, 0], 60), Verdict::Promote);
        assert_eq!(
            judged([0, 1, 900, 0], 1),
            Verdict::Wait,
            "5 points are allowed"
        );
        assert!(matches!(judged([0, 2, 900, 0], 1), Verdict::RollBack(_)));
        assert!(matches!(judged([90, 10, 900, 0], 1), Verdict::RollBack(_)));
        assert_eq!(
            judged([90, 10, 90, 10], 60),
            Verdict::Promote,
            "the active one fails as often"
        );
    }

    #[test]
    fn the_reason_has_the_figures() {
        let Verdict::RollBack(reason) = judged([10, 10, 400, 4], 1) else {
            panic!("it fails");
        };
        assert!(
            reason
                .starts_with("10 of 20 tries failed on the canary, 4 of 404 on the active version"),
            "{reason}"
        );
    }
}
