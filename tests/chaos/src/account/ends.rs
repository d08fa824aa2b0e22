//! How tasks ended and how often they ran, against what they should have.
//!
//! Must not know recovery, logs or memory.

use std::time::{Duration, Instant};

use super::{Evidence, Row, Rule, Wrong};
use crate::effects::Execution;
use crate::fault::Fault;
use crate::left::Left;
use crate::task::{Kind, Task};

/// How long after a fault's end and a lease a task may still be repeated because of it: the search for expired leases.
const SEARCH: Duration = Duration::from_secs(3);
/// How long after the start of an execution a kill can still lose its result: the longest task, and a server's outage.
const UNSETTLED: Duration = Duration::from_secs(20);
/// How long a task may wait until it is acknowledged and begins, where no fault keeps it.
const WAITING: Duration = Duration::from_secs(5);
/// How many tasks at most once the workers that are killed have acknowledged and not begun: as many as they have threads.
const UNDER_WAY: usize = 6;
/// How much early a delayed task may seem to be: two processes read their clocks one after the other.
const EARLY: f64 = 0.05;

/// The account of one kind.
pub(super) fn row(kind: Kind, evidence: &Evidence, wrong: &mut Vec<Wrong>) -> Row {
    let mut row = Row {
        kind,
        tasks: 0,
        right: 0,
        cut_off: 0,
        unbegun: 0,
        attempts: 0,
        executions: 0,
    };
    for task in evidence.tasks.iter().filter(|task| task.kind == kind) {
        let seen = Seen { task, evidence };
        row.executions += seen.executions().len();
        if !evidence.enqueued.acknowledged.contains(&task.id) {
            let text = format!("{}: no producer got it in", task.id);
            wrong.push(Wrong::new(Rule::Enqueued, text));
            continue;
        }
        row.tasks += 1;
        row.attempts += kind.attempts();
        let before = wrong.len();
        let (cut_off, unbegun) = (seen.is_cut_off(), seen.is_unbegun());
        if cut_off || unbegun {
            row.cut_off += usize::from(cut_off);
            row.unbegun += usize::from(unbegun);
        } else {
            wrong.extend(seen.end());
        }
        wrong.extend(seen.repeats());
        if evidence.left.ends.contains_key(&task.id) {
            wrong.extend(seen.dead_letters());
        }
        wrong.extend(seen.early());
        row.right += usize::from(wrong.len() == before && !cut_off && !unbegun);
    }
    let faults = evidence.faults.iter();
    let most = UNDER_WAY
        * faults
            .filter(|one| one.planned.fault.kills_workers())
            .count();
    if row.unbegun > most {
        let text = format!("{} had not begun; {most} could be under way", row.unbegun);
        wrong.push(Wrong::new(Rule::LostOnlyBegun, text));
    }
    row
}

/// What should not be left.
pub(super) fn left(left: &Left, wrong: &mut Vec<Wrong>) {
    if !left.messages.is_empty() || left.leases > 0 {
        let text = format!("{} leases; messages: {:?}", left.leases, left.messages);
        wrong.push(Wrong::new(Rule::NothingLeft, text));
    }
    for id in left.delayed.iter().filter(|id| left.ends.contains_key(*id)) {
        let text = format!("{id}: is delayed, though it has ended");
        wrong.push(Wrong::new(Rule::NothingLeft, text));
    }
    if !left.consumers.is_empty() || !left.workers.is_empty() {
        let (consumers, workers) = (&left.consumers, &left.workers);
        let text = format!("consumers: {consumers:?}; heartbeats: {workers:?}");
        wrong.push(Wrong::new(Rule::SignedOff, text));
    }
}

impl Wrong {
    pub(super) fn new(rule: Rule, text: String) -> Self {
        Self { rule, text }
    }
}

/// One task with the evidence.
struct Seen<'a> {
    task: &'a Task,
    evidence: &'a Evidence,
}

impl Seen<'_> {
    fn executions(&self) -> &[Execution] {
        let all = &self.evidence.executions;
        all.get(&self.task.id).map_or(&[], Vec::as_slice)
    }

    fn wrong(&self, rule: Rule, text: &str) -> Wrong {
        Wrong::new(rule, format!("{}: {text}", self.task.id))
    }

    /// At most once: it had begun, and its worker was killed before it could settle.
    fn is_cut_off(&self) -> bool {
        let gone = !self.evidence.left.ends.contains_key(&self.task.id);
        self.task.kind == Kind::Once
            && gone
            && self.executions().first().is_some_and(|first| {
                self.happened(
                    Fault::kills_workers,
                    first.begun,
                    first.begun + UNSETTLED,
                    Duration::ZERO,
                )
            })
    }

    /// At most once: its worker was killed at the time that it was to begin, between its acknowledgement and its start. Any other
    /// fault only loses the answer, which is asked for again.
    fn is_unbegun(&self) -> bool {
        let sent = &self.evidence.enqueued.sent;
        let gone = !self.evidence.left.ends.contains_key(&self.task.id);
        self.task.kind == Kind::Once
            && gone
            && self.executions().is_empty()
            && sent.get(&self.task.id).is_some_and(|sent| {
                let until = *sent + WAITING;
                self.happened(Fault::kills_workers, *sent, until, Duration::ZERO)
            })
    }

    /// Whether a fault of this sort overlaps with this time, or ended not much longer than `aftermath` before it.
    fn happened(
        &self,
        sort: impl Fn(Fault) -> bool,
        from: Instant,
        to: Instant,
        aftermath: Duration,
    ) -> bool {
        self.evidence.faults.iter().any(|one| {
            let over = one.ended + one.planned.fault.noticed_within() + aftermath;
            sort(one.planned.fault) && one.begun <= to && over >= from
        })
    }

    fn end(&self) -> Option<Wrong> {
        let kind = self.task.kind;
        match self.evidence.left.ends.get(&self.task.id) {
            None if kind == Kind::Once && self.executions().is_empty() => {
                Some(self.wrong(Rule::LostOnlyBegun, "has no result, and had not begun"))
            }
            None if self.evidence.left.delayed.contains(&self.task.id) => {
                Some(self.wrong(Rule::NotLate, "is still delayed"))
            }
            None => {
                let text = format!("has no result, and ran {} times", self.executions().len());
                Some(self.wrong(Rule::NotLost, &text))
            }
            Some((succeeded, error)) if *succeeded != kind.succeeds() => {
                let end = if *succeeded {
                    "SUCCESS"
                } else {
                    error.as_str()
                };
                Some(self.wrong(Rule::RightEnd, &format!("ended as {end}")))
            }
            Some(_) => None,
        }
    }

    fn repeats(&self) -> Option<Wrong> {
        let executions = self.executions();
        let (kind, count) = (self.task.kind, executions.len());
        let sent_again = self.evidence.enqueued.sent_again.contains(&self.task.id);
        if count < kind.attempts() {
            let ended = self.evidence.left.ends.contains_key(&self.task.id);
            let text = format!("ended after {count} of {} executions", kind.attempts());
            return ended.then(|| self.wrong(Rule::Attempts, &text));
        }
        if count == kind.attempts() {
            return None;
        }
        let text = format!("ran {count} times instead of {}", kind.attempts());
        if kind == Kind::Once {
            let rule = if sent_again {
                Rule::NotDoubled
            } else {
                Rule::AtMostOnce
            };
            return Some(self.wrong(rule, &text));
        }
        let (first, last) = (executions[0].begun, executions[count - 1].begun);
        if self.happened(
            Fault::repeats_tasks,
            first,
            last,
            self.evidence.lease + SEARCH,
        ) {
            return None;
        }
        let rule = if sent_again {
            Rule::NotDoubled
        } else {
            Rule::Attempts
        };
        Some(self.wrong(rule, &text))
    }

    fn dead_letters(&self) -> Option<Wrong> {
        let dead = self.evidence.left.dead.get(&self.task.id);
        let dead = dead.copied().unwrap_or_default();
        let expected = usize::from(!self.task.kind.succeeds());
        let doubled = dead > expected
            && expected > 0
            && self.evidence.enqueued.sent_again.contains(&self.task.id);
        let rule = if doubled {
            Rule::NotDoubled
        } else {
            Rule::DeadLetters
        };
        let text = format!("has {dead} dead letters instead of {expected}");
        (dead != expected).then(|| self.wrong(rule, &text))
    }

    fn early(&self) -> Option<Wrong> {
        let due = self.evidence.enqueued.due.get(&self.task.id)?;
        let first = self.executions().first()?;
        let by = due - first.begun_at;
        // One clock decides, also where it is wrong.
        let clock = |fault| self.evidence.ground.clock_decides(fault);
        let told = self.happened(
            clock,
            first.begun,
            first.begun,
            self.evidence.lease + SEARCH,
        );
        (by > EARLY && !told).then(|| {
            self.wrong(
                Rule::NotEarly,
                &format!("began {by:.3} s before it was due"),
            )
        })
    }
}
