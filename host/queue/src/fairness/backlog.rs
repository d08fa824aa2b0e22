//! Which queues have a backlog. In a worker with many queues, these get long turns, so a batch comes from only a few of
//! them: reading and settling also cost the server something for each queue involved.
//!
//! Knows names and counts. Must not know how a read is made.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

/// Deliveries that a queue with a backlog gets in one turn.
const TURN: usize = 32;
/// Every fourth fetch begins with the queues that had no backlog when they were last read.
const ROUND: usize = 4;

/// The queues that gave all they were asked for when they were last read.
#[derive(Default)]
pub(crate) struct Backlog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The one that has waited longest comes first.
    backlogged: VecDeque<Arc<str>>,
    fetches: usize,
}

/// What a fetch reads at once, without waiting.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Turn<'a> {
    /// Queues without a backlog, if they are to be checked first.
    pub(crate) others: Vec<&'a Arc<str>>,
    /// Queues with a backlog, in the order of their turns.
    pub(crate) backlogged: Vec<&'a Arc<str>>,
}

impl Backlog {
    /// Whose turn it is, if one read over all queues would bring little from each although much is wanted.
    pub(crate) fn turn<'a>(&self, queues: &[&'a Arc<str>], limit: usize) -> Turn<'a> {
        if !(1..queues.len()).contains(&width(limit)) {
            return Turn::default();
        }
        let mut state = self.state.lock().expect("no panic while it is held");
        if state.backlogged.is_empty() {
            return Turn::default();
        }
        state.fetches = state.fetches.wrapping_add(1);
        let of_names = |name: &Arc<str>| queues.iter().find(|queue| **queue == name).copied();
        let backlogged = state.backlogged.iter().filter_map(of_names).collect();
        let others = if state.fetches.is_multiple_of(ROUND) {
            let known: HashSet<&Arc<str>> = state.backlogged.iter().collect();
            let unknown = queues.iter().filter(|queue| !known.contains(**queue));
            unknown.take(limit).copied().collect()
        } else {
            Vec::new()
        };
        Turn { others, backlogged }
    }

    /// Notes what a read said about its queues.
    pub(crate) fn note(&self, read: &[&Arc<str>], full: &[&Arc<str>]) {
        let mut state = self.state.lock().expect("no panic while it is held");
        state.backlogged.retain(|name| !read.contains(&name));
        state
            .backlogged
            .extend(full.iter().map(|queue| Arc::clone(queue)));
    }
}

/// The number of queues with a backlog that one read should cover.
pub(crate) fn width(limit: usize) -> usize {
    limit / TURN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<Arc<str>> {
        (0..count).map(|number| number.to_string().into()).collect()
    }

    #[test]
    fn a_limit_that_suffices_for_all_or_for_no_turn_needs_none() {
        let (backlog, names) = (Backlog::default(), names(4));
        let queues: Vec<_> = names.iter().collect();
        backlog.note(&queues, &queues);
        assert_eq!(backlog.turn(&queues, 4 * TURN), Turn::default());
        assert_eq!(backlog.turn(&queues, TURN - 1), Turn::default());
        assert_eq!(backlog.turn(&queues, 4 * TURN - 1).backlogged, queues);
    }

    #[test]
    fn the_one_that_was_read_goes_to_the_end() {
        let (backlog, names) = (Backlog::default(), names(4));
        let queues: Vec<_> = names.iter().collect();
        backlog.note(&queues, &queues[..3]);
        backlog.note(&queues[..1], &queues[..1]);
        let order = [queues[1], queues[2], queues[0]];
        assert_eq!(backlog.turn(&queues, TURN).backlogged, order);
        backlog.note(&queues[1..3], &[]);
        assert_eq!(backlog.turn(&queues, TURN).backlogged, queues[..1]);
    }

    #[test]
    fn the_others_are_looked_at_in_each_round() {
        let (backlog, names) = (Backlog::default(), names(4));
        let queues: Vec<_> = names.iter().collect();
        backlog.note(&queues, &queues[..1]);
        let turns: Vec<_> = (0..ROUND).map(|_| backlog.turn(&queues, TURN)).collect();
        let others = turns.iter().filter(|turn| !turn.others.is_empty());
        assert_eq!(
            others.map(|turn| &turn.others[..]).collect::<Vec<_>>(),
            [&queues[1..]]
        );
    }

    #[test]
    fn another_workers_queues_are_left_alone() {
        let (backlog, names) = (Backlog::default(), names(8));
        let queues: Vec<_> = names.iter().collect();
        backlog.note(&queues[..4], &queues[..4]);
        assert_eq!(backlog.turn(&queues[3..], TURN).backlogged, queues[3..4]);
    }
}
