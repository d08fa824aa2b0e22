//! Recovery, log lines and memory, against their limits.
//!
//! Must not know how tasks ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Evidence, Happened, Line, Rule, Surroundings, Wrong};
use crate::process::Journal;
use crate::task::QUEUES;

/// Lines that are not about tasks: for each process its start and end, and what one fault may make it say.
const LINES_OF_A_LIFE: u64 = 12;
const LINES_OF_A_FAULT: u64 = 3;
/// Lines about a task, for each of its executions.
const LINES_OF_AN_EXECUTION: u64 = 3;
/// How many messages are told.
const TOLD: usize = 8;

/// A worker that lives for this long has taken the memory that it needs.
const SETTLED: Duration = Duration::from_secs(20);
/// It is looked at for this much longer at least.
const LOOKED_AT: Duration = Duration::from_secs(30);
/// What it may grow by after that.
const GROWTH: u64 = 48 << 20;

/// When tasks were completed after each fault.
pub(super) fn recoveries(evidence: &Evidence, wrong: &mut Vec<Wrong>) -> Vec<Line> {
    let mut completed: Vec<Instant> = evidence
        .journals
        .iter()
        .flat_map(|journal| journal.completed.iter().map(|(when, _)| *when))
        .collect();
    completed.sort_unstable();
    let recovered = |ended: Instant| {
        let next = completed.partition_point(|when| *when <= ended);
        let next = completed.get(next)?;
        Some(next.duration_since(ended))
    };
    let mut lines = Vec::new();
    for one in &evidence.faults {
        let recovered = recovered(one.ended).filter(|_| !one.planned.beside);
        let limit = evidence.recovery + one.planned.fault.noticed_within();
        if !one.planned.beside && recovered.is_none_or(|taken| taken > limit) {
            let taken = recovered.map_or("never".into(), |taken| format!("{taken:.1?}"));
            let text = format!(
                "{}: the next task was completed after {taken}, more than {limit:?}",
                one.planned.fault
            );
            wrong.push(Wrong::new(Rule::Recovery, text));
        }
        lines.push(Line {
            planned: one.planned,
            pause: pause(evidence, one).as_secs_f64(),
            lasted: one.ended.duration_since(one.begun).as_secs_f64(),
            recovered: recovered.map(|taken| taken.as_secs_f64()),
        });
    }
    lines
}

/// The longest that no task of some queue was completed, from a fault's beginning until it must be over.
fn pause(evidence: &Evidence, fault: &Happened) -> Duration {
    let over = fault.ended + evidence.recovery;
    let mut times: BTreeMap<&str, Vec<Instant>> = QUEUES
        .map(|queue| (queue, vec![fault.begun, over]))
        .into_iter()
        .collect();
    let completed = evidence.journals.iter().flat_map(|one| &one.completed);
    for (when, id) in completed.filter(|(when, _)| (fault.begun..over).contains(when)) {
        let queue = evidence.enqueued.queues.get(id);
        if let Some(times) = queue.and_then(|queue| times.get_mut(queue)) {
            times.push(*when);
        }
    }
    let longest = |mut times: Vec<Instant>| {
        times.sort_unstable();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    };
    times.into_values().map(longest).max().unwrap_or_default()
}

/// Lines and memory, and what producers and workers complained about.
pub(super) fn of(evidence: &Evidence, wrong: &mut Vec<Wrong>) -> Surroundings {
    let journals = &evidence.journals;
    let mut messages = BTreeMap::<&str, u64>::new();
    for (message, count) in journals.iter().flat_map(|journal| &journal.others) {
        *messages.entry(message).or_default() += count;
    }
    let mut frequent: Vec<_> = messages
        .iter()
        .map(|(message, count)| ((*message).to_owned(), *count))
        .collect();
    frequent.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    frequent.truncate(TOLD);
    let about = |journal: &Journal| journal.about_tasks.values().sum::<u64>();
    let memory = |journal: &Journal| journal.memory.iter().map(|(_, bytes)| *bytes).max();
    let surroundings = Surroundings {
        processes: journals.len(),
        about_tasks: journals.iter().map(about).sum(),
        others: messages.values().sum(),
        frequent,
        peak_bytes: journals.iter().filter_map(memory).max().unwrap_or(0),
        growth_bytes: journals.iter().filter_map(growth).max(),
    };
    lines(evidence, &surroundings, wrong);
    if let Some(growth) = surroundings.growth_bytes.filter(|growth| *growth > GROWTH) {
        let text = format!("a worker grew by {} MiB", growth >> 20);
        wrong.push(Wrong::new(Rule::Memory, text));
    }
    for (code, (times, said)) in &evidence.enqueued.failures {
        if *code == Some(2) {
            let text = format!("{times} times, enqueue refused what is right: {said}");
            wrong.push(Wrong::new(Rule::NotRefused, text));
        }
    }
    let complaints = evidence.complaints.iter().cloned();
    wrong.extend(complaints.map(|text| Wrong::new(Rule::Workers, text)));
    surroundings
}

fn lines(evidence: &Evidence, seen: &Surroundings, wrong: &mut Vec<Wrong>) {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let faults = count(evidence.faults.len());
    // Each fault can be told by each worker that is there at the time: about three.
    let allowed = count(seen.processes) * LINES_OF_A_LIFE + faults * 3 * LINES_OF_A_FAULT;
    if seen.others > allowed {
        let text = format!(
            "{} lines that are not about tasks; {allowed} are enough for {} workers and {faults} faults",
            seen.others, seen.processes
        );
        wrong.push(Wrong::new(Rule::LogLines, text));
    }
    let executions = count(evidence.executions.values().map(Vec::len).sum());
    if seen.about_tasks > executions * LINES_OF_AN_EXECUTION {
        let text = format!(
            "{} lines about tasks for {executions} executions",
            seen.about_tasks
        );
        wrong.push(Wrong::new(Rule::LogLines, text));
    }
}

/// How much a worker grew after it had settled; none if it did not live long enough.
fn growth(journal: &Journal) -> Option<u64> {
    let (born, _) = journal.memory.first()?;
    let (died, last) = journal.memory.last()?;
    if died.duration_since(*born) < SETTLED + LOOKED_AT {
        return None;
    }
    let settled = journal
        .memory
        .iter()
        .filter(|(when, _)| when.duration_since(*born) <= SETTLED)
        .map(|(_, bytes)| *bytes)
        .max()?;
    Some(last.saturating_sub(settled))
}
