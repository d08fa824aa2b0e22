//! Which queues have a backlog. On a worker of many queues these take long turns, so that a batch comes
//! from a few of them: a read and a settlement cost Redis something for each queue in them, too.
//!
//! Knows names and counts; must not know how a read is made.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

/// A turn brings this many deliveries of a queue that has them.
const TURN: usize = 32;
/// One fetch of so many begins with the queues that had no backlog when they were last read.
const ROUND: usize = 4;

/// The queues that gave all they were asked for when they were last read.
#[derive(Default)]
pub(super) struct Hot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The one that has waited longest first.
    backlogged: VecDeque<Arc<str>>,
    fetches: usize,
}

/// What a fetch reads at once, without waiting.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Turn<'a> {
    /// Queues without a backlog, where they are to be looked at first.
    pub(super) others: Vec<&'a Arc<str>>,
    /// Queues with a backlog, in the order of their turns.
    pub(super) backlogged: Vec<&'a Arc<str>>,
}

impl Hot {
    /// Where one read over all queues would bring little of each, though much is wanted: whose turn it is.
    pub(super) fn turn<'a>(&self, queues: &[&'a Arc<str>], limit: usize) -> Turn<'a> {
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

    /// Takes down what a read said of its queues.
    pub(super) fn note(&self, read: &[&Arc<str>], full: &[&Arc<str>]) {
        let mut state = self.state.lock().expect("no panic while it is held");
        state.backlogged.retain(|name| !read.contains(&name));
        state
            .backlogged
            .extend(full.iter().map(|queue| Arc::clone(queue)));
    }
}

/// How many queues with a backlog one read is to cover.
pub(super) fn width(limit: usize) -> usize {
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
        let (hot, names) = (Hot::default(), names(4));
        let queues: Vec<_> = names.iter().collect();
        hot.note(&queues, &queues);
        assert_eq!(hot.turn(&queues, 4 * TURN), Turn::default());
        assert_eq!(hot.turn(&queues, TURN - 1), Turn::default());
        assert_eq!(hot.turn(&queues, 4 * TURN - 1).backlogged, queues);
    }

    #[test]
    fn the_one_that_was_read_goes_to_the_end() {
        let (hot, names) = (Hot::default(), names(4));
        let queues: Vec<_> = names.iter().collect();
        hot.note(&queues, &queues[..3]);
        hot.note(&queues[..1], &queues[..1]);
        let order = [queues[1], queues[2], queues[0]];
        assert_eq!(hot.turn(&queues, TURN).backlogged, order);
        hot.note(&queues[1..3], &[]);
        assert_eq!(hot.turn(&queues, TURN).backlogged, queues[..1]);
    }

    #[test]
    fn the_others_are_looked_at_in_each_round() {
        let (hot, names) = (Hot::default(), names(4));
        let queues: Vec<_> = names.iter().collect();
        hot.note(&queues, &queues[..1]);
        let turns: Vec<_> = (0..ROUND).map(|_| hot.turn(&queues, TURN)).collect();
        let others = turns.iter().filter(|turn| !turn.others.is_empty());
        assert_eq!(
            others.map(|turn| &turn.others[..]).collect::<Vec<_>>(),
            [&queues[1..]]
        );
    }

    #[test]
    fn another_workers_queues_are_left_alone() {
        let (hot, names) = (Hot::default(), names(8));
        let queues: Vec<_> = names.iter().collect();
        hot.note(&queues[..4], &queues[..4]);
        assert_eq!(hot.turn(&queues[3..], TURN).backlogged, queues[3..4]);
    }
}
