//! Whether a canary continues, is rolled back or becomes the active version: a pure function.
//!
//! Must not know who counts, nor who acts on it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Canary;
use chicory_clock::Timestamp;

/// Attempts since a canary began: on the canary, and on the active version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryCounts {
    /// Attempts on the canary that succeeded.
    pub canary_ok: u64,
    /// Attempts on the canary that failed.
    pub canary_failed: u64,
    /// Attempts on the active version that succeeded.
    pub active_ok: u64,
    /// Attempts on the active version that failed.
    pub active_failed: u64,
}

impl CanaryCounts {
    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What should become of a canary.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It continues.
    Wait,
    /// It fails too often; the reason, with figures.
    RollBack(String),
    /// It has proved itself.
    Promote,
}

/// Judges a canary by what all workers have counted.
///
/// It is rolled back once its failure rate is more than `margin` percentage points above the active
/// version's, after at least `min_tasks` attempts; or earlier, as soon as it would be even if all attempts
/// still missing to `min_tasks` succeeded. It is promoted after `hold` seconds with at least `min_tasks`
/// attempts.
pub fn judge(canary: &Canary, counts: &CanaryCounts, now: Timestamp) -> Verdict {
    let terms = &canary.terms;
    let attempts = counts.canary_ok + counts.canary_failed;
    let failing = share(counts.canary_failed, attempts.max(terms.min_tasks));
    let normal = share(
        counts.active_failed,
        counts.active_ok + counts.active_failed,
    );
    if failing > normal + terms.margin {
        return Verdict::RollBack(format!(
            "{} of {attempts} attempts failed on the canary, {} of {} on the active version; {} percentage points more are allowed",
            counts.canary_failed,
            counts.active_failed,
            counts.active_ok + counts.active_failed,
            terms.margin
        ));
    }
    let hold = Duration::try_from_secs_f64(terms.hold).unwrap_or(Duration::MAX);
    if now.since(canary.since) >= hold && attempts >= terms.min_tasks {
        Verdict::Promote
    } else {
        Verdict::Wait
    }
}

/// In percent; 0 of 0 is 0.
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
        assert_eq!(
            judged([19, 0, 900, 0], 600),
            Verdict::Wait,
            "too few attempts"
        );
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
            reason.starts_with(
                "10 of 20 attempts failed on the canary, 4 of 404 on the active version"
            ),
            "{reason}"
        );
    }
}
