//! Random operations for the differential test.
//!
//! Must not know what a broker answers.

use proptest::prelude::*;

pub(crate) const QUEUES: [&str; 2] = ["default", "other"];
pub(crate) const CONSUMERS: [&str; 2] = ["one", "two"];

/// One operation. Indices are taken modulo the number of items, so every sequence makes sense, and still does when it
/// shrinks.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A message for each item: ready if `None`, otherwise delayed by this many seconds.
    Enqueue(usize, Vec<Option<u64>>),
    EnqueueUnreadable(usize),
    Fetch(usize, usize, usize),
    /// Of these deliveries: some are still held, some are not.
    Settle(Vec<(usize, Kind)>),
    Acknowledge(usize),
    Extend(usize),
    Promote(usize, usize),
    Advance(u64),
    Replay(usize, usize, bool),
    DeleteDead(usize, usize),
    PurgeDead(usize),
    Purge(usize),
    DeleteResult(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Complete,
    Retry(u64),
    DeadLetter,
    Release,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let queue = 0..QUEUES.len();
    let index = 0usize..64;
    let delays = prop::collection::vec(prop::option::weighted(0.3, 0u64..20), 1..5);
    let settlements = prop::collection::vec((index.clone(), kind()), 1..5);
    prop_oneof![
        6 => (queue.clone(), delays).prop_map(|(queue, delays)| Step::Enqueue(queue, delays)),
        1 => queue.clone().prop_map(Step::EnqueueUnreadable),
        6 => (queue.clone(), 0..CONSUMERS.len(), 1usize..5).prop_map(|(queue, consumer, limit)| Step::Fetch(queue, consumer, limit)),
        8 => settlements.prop_map(Step::Settle),
        1 => index.clone().prop_map(Step::Acknowledge),
        1 => index.clone().prop_map(Step::Extend),
        3 => (queue.clone(), 1usize..5).prop_map(|(queue, limit)| Step::Promote(queue, limit)),
        3 => (1u64..15).prop_map(Step::Advance),
        2 => (queue.clone(), index.clone(), any::<bool>()).prop_map(|(queue, at, reset)| Step::Replay(queue, at, reset)),
        1 => (queue.clone(), index.clone()).prop_map(|(queue, index)| Step::DeleteDead(queue, index)),
        1 => queue.clone().prop_map(Step::PurgeDead),
        1 => queue.prop_map(Step::Purge),
        1 => index.prop_map(Step::DeleteResult),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Complete),
        (0u64..20).prop_map(Kind::Retry),
        Just(Kind::DeadLetter),
        Just(Kind::Release),
    ]
}
