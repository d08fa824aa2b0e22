//! The account of a run: what each task came to, against what it should have.
//!
//! A pure function of the evidence. Must not look at servers or processes.

mod ends;
mod surroundings;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::effects::Execution;
use crate::ground::Kind as Ground;
use crate::left::Left;
use crate::process::Journal;
use crate::producer::Enqueued;
use crate::schedule::Planned;
use crate::task::{Kind, Task};

/// A fault that has happened.
#[derive(Debug, Clone, Copy)]
pub struct Happened {
    /// As it was planned.
    pub planned: Planned,
    /// When it began.
    pub begun: Instant,
    /// When all was whole again.
    pub ended: Instant,
}

/// All that is known at the end of a run.
#[derive(Debug)]
pub struct Evidence {
    /// All tasks.
    pub tasks: Vec<Task>,
    /// What producers did.
    pub enqueued: Enqueued,
    /// What ran, as counted from outside.
    pub executions: HashMap<String, Vec<Execution>>,
    /// What is left.
    pub left: Left,
    /// What was broken.
    pub faults: Vec<Happened>,
    /// What each worker said and took.
    pub journals: Vec<Journal>,
    /// What went wrong with workers, in words.
    pub complaints: Vec<String>,
    /// The longest that recovery may take.
    pub recovery: Duration,
    /// What kept the queues.
    pub ground: Ground,
    /// How long a lease lasts.
    pub lease: Duration,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A producer gets its messages in.
    Enqueued,
    /// A producer is not told that a message is wrong because a server is.
    NotRefused,
    /// A task that was acknowledged ends.
    NotLost,
    /// A task at most once that ended without a word had begun, or was about to when its worker was killed.
    LostOnlyBegun,
    /// It ends as it should.
    RightEnd,
    /// It runs as often as it should, unless a fault explains more.
    Attempts,
    /// A task at most once runs at most once.
    AtMostOnce,
    /// A message that is sent again with the same id is not doubled.
    NotDoubled,
    /// Exactly the tasks that should have a dead letter have one.
    DeadLetters,
    /// A delayed task does not start early.
    NotEarly,
    /// Nothing is still delayed long after it should have run.
    NotLate,
    /// No message and no lease is left.
    NothingLeft,
    /// No consumer and no heartbeat is left.
    SignedOff,
    /// Tasks are completed again soon after a fault's end.
    Recovery,
    /// Memory is flat.
    Memory,
    /// The log is no flood.
    LogLines,
    /// Workers end when they should, and only then.
    Workers,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, Serialize)]
pub struct Wrong {
    /// What should have held.
    pub rule: Rule,
    /// What was seen.
    pub text: String,
}

/// The tasks of one kind in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// Tasks that were acknowledged.
    pub tasks: usize,
    /// Those with the one right end.
    pub right: usize,
    /// Those at most once that ended without a word after they had begun, at a kill.
    pub cut_off: usize,
    /// Those at most once that ended without a word before they had begun: their worker was killed after it had acknowledged
    /// them.
    pub unbegun: usize,
    /// Executions without faults.
    pub attempts: usize,
    /// Executions that were counted.
    pub executions: usize,
}

/// A fault and what came of it. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// As it was planned.
    pub planned: Planned,
    /// How long it really lasted.
    pub lasted: f64,
    /// The longest that no task of some queue was completed, from its beginning until after its end.
    pub pause: f64,
    /// From its end to the next completed task; none if that can't be told, or was not seen before the next fault.
    pub recovered: Option<f64>,
}

/// Lines and memory of the workers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Surroundings {
    /// Worker processes, over the whole run.
    pub processes: usize,
    /// Lines about tasks.
    pub about_tasks: u64,
    /// All other lines.
    pub others: u64,
    /// The most frequent of these.
    pub frequent: Vec<(String, u64)>,
    /// The most memory that a worker had, in bytes.
    pub peak_bytes: u64,
    /// The most that a worker grew after its first 20 seconds, in bytes; none if none lived long enough.
    pub growth_bytes: Option<u64>,
}

/// The account.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// By kind.
    pub rows: Vec<Row>,
    /// By fault.
    pub faults: Vec<Line>,
    /// Lines and memory.
    pub surroundings: Surroundings,
    /// What is not as it must be.
    pub wrong: Vec<Wrong>,
}

/// Draws up the account.
pub fn draw_up(evidence: &Evidence) -> Account {
    let mut wrong = Vec::new();
    let rows = Kind::ALL
        .into_iter()
        .map(|kind| ends::row(kind, evidence, &mut wrong))
        .collect();
    ends::left(&evidence.left, &mut wrong);
    let faults = surroundings::recoveries(evidence, &mut wrong);
    let surroundings = surroundings::of(evidence, &mut wrong);
    Account {
        rows,
        faults,
        surroundings,
        wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    /// A run of one task of each kind that went as it should.
    fn fine() -> Evidence {
        let start = Instant::now();
        let task = |kind: Kind| Task {
            id: format!("{}-1", kind.name()),
            kind,
            takes_ms: 0,
            delay_ms: 0,
        };
        let tasks: Vec<Task> = Kind::ALL.into_iter().map(task).collect();
        let execution = Execution {
            begun: start,
            begun_at: 100.0,
        };
        let ran = |task: &Task| (task.id.clone(), vec![execution; task.kind.attempts()]);
        let ended = |task: &Task| (task.id.clone(), (task.kind.succeeds(), "Failed".into()));
        Evidence {
            enqueued: Enqueued {
                acknowledged: tasks.iter().map(|task| task.id.clone()).collect(),
                sent: tasks.iter().map(|task| (task.id.clone(), start)).collect(),
                ..Enqueued::default()
            },
            executions: tasks.iter().map(ran).collect(),
            left: Left {
                ends: tasks.iter().map(ended).collect(),
                dead: HashMap::from([("dead-1".into(), 1)]),
                ..Left::default()
            },
            faults: Vec::new(),
            journals: Vec::new(),
            complaints: Vec::new(),
            recovery: Duration::from_secs(2),
            ground: Ground::Redis,
            lease: Duration::from_secs(2),
            tasks,
        }
    }

    fn broken(evidence: &Evidence) -> Vec<Rule> {
        let wrong = draw_up(evidence).wrong;
        wrong.iter().map(|one| one.rule).collect()
    }

    fn fault(fault: Fault, begun: Instant, ended: Instant) -> Happened {
        let planned = Planned {
            at_ms: 0,
            lasts_ms: 0,
            fault,
            seat: 0,
            beside: true,
        };
        Happened {
            planned,
            begun,
            ended,
        }
    }

    #[test]
    fn a_run_that_went_well_has_nothing_wrong() {
        assert_eq!(broken(&fine()), []);
    }

    #[test]
    fn what_is_missing_is_lost() {
        let mut evidence = fine();
        evidence.left.ends.remove("steady-1");
        assert_eq!(broken(&evidence), [Rule::NotLost]);
        let mut evidence = fine();
        evidence.enqueued.acknowledged.remove("steady-1");
        assert_eq!(broken(&evidence), [Rule::Enqueued]);
    }

    #[test]
    fn another_end_is_wrong() {
        let mut evidence = fine();
        let failed = (false, "Timeout".to_owned());
        evidence.left.ends.insert("flaky-1".into(), failed);
        assert_eq!(broken(&evidence), [Rule::RightEnd]);
        let mut evidence = fine();
        evidence.left.dead.insert("long-1".into(), 1);
        evidence.left.dead.remove("dead-1");
        assert_eq!(broken(&evidence), [Rule::DeadLetters, Rule::DeadLetters]);
    }

    #[test]
    fn a_repetition_needs_a_fault_and_at_most_once_knows_none() {
        let mut evidence = fine();
        let again = |evidence: &mut Evidence, id: &str| {
            let executions = evidence.executions.get_mut(id).unwrap();
            executions.push(executions[0]);
        };
        again(&mut evidence, "steady-1");
        assert_eq!(broken(&evidence), [Rule::Attempts]);
        let begun = evidence.executions["steady-1"][0].begun;
        let earlier = begun.checked_sub(Duration::from_secs(1)).unwrap();
        evidence
            .faults
            .push(fault(Fault::WorkerKilled, earlier, begun));
        assert_eq!(broken(&evidence), []);
        again(&mut evidence, "once-1");
        assert_eq!(broken(&evidence), [Rule::AtMostOnce]);
        evidence.enqueued.sent_again.insert("once-1".into());
        assert_eq!(broken(&evidence), [Rule::NotDoubled]);
    }

    #[test]
    fn at_most_once_may_be_cut_off_by_a_kill_once_it_had_begun() {
        let mut evidence = fine();
        evidence.left.ends.remove("once-1");
        assert_eq!(broken(&evidence), [Rule::NotLost]);
        let begun = evidence.executions["once-1"][0].begun;
        evidence
            .faults
            .push(fault(Fault::WorkerKilled, begun, begun));
        let account = draw_up(&evidence);
        assert!(account.wrong.is_empty(), "{:?}", account.wrong);
        assert_eq!(account.rows.iter().map(|row| row.cut_off).sum::<usize>(), 1);
        // One that was about to begin; but not without a kill.
        evidence.executions.remove("once-1");
        let account = draw_up(&evidence);
        assert!(account.wrong.is_empty(), "{:?}", account.wrong);
        assert_eq!(account.rows.iter().map(|row| row.unbegun).sum::<usize>(), 1);
        // An answer that is lost is asked for again.
        evidence.faults[0].planned.fault = Fault::ConnectionsCut;
        assert_eq!(broken(&evidence), [Rule::LostOnlyBegun]);
        evidence.faults.clear();
        assert_eq!(broken(&evidence), [Rule::LostOnlyBegun]);
    }

    #[test]
    fn early_starts_leftovers_and_slow_recovery_are_wrong() {
        let mut evidence = fine();
        evidence.enqueued.due.insert("delayed-1".into(), 101.0);
        assert_eq!(broken(&evidence), [Rule::NotEarly]);
        let mut evidence = fine();
        evidence.left.leases = 1;
        evidence.left.consumers.push("worker".into());
        evidence.left.delayed.insert("flaky-1".into());
        let left = [Rule::NothingLeft, Rule::NothingLeft, Rule::SignedOff];
        assert_eq!(broken(&evidence), left);
        evidence.left.ends.remove("flaky-1");
        assert_eq!(broken(&evidence)[0], Rule::NotLate);
        let mut evidence = fine();
        let begun = Instant::now();
        let mut frozen = fault(Fault::ServerFrozen, begun, begun);
        frozen.planned.beside = false;
        evidence.faults.push(frozen);
        assert_eq!(broken(&evidence), [Rule::Recovery]);
        evidence.journals.push(Journal {
            completed: vec![(begun + Duration::from_secs(1), "steady-1".into())],
            ..Journal::default()
        });
        assert_eq!(broken(&evidence), []);
    }
}
