//! Fairness among queues: whose turn it is, and how much of a fetch each may fill.
//!
//! Both brokers fetch by these rules. Knows names and counts. Must not know how a queue is read.

#[cfg(feature = "redis")]
mod backlog;
#[cfg(feature = "sqlite")]
mod shares;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "redis")]
pub(crate) use self::backlog::{Backlog, width};
#[cfg(feature = "sqlite")]
pub(crate) use self::shares::{Member, Turn, shares};

/// Whose turn it is: each queue comes first equally often.
#[derive(Debug, Default)]
pub(crate) struct Rotation(AtomicUsize);

impl Rotation {
    /// The queues in the order of the next turn.
    pub(crate) fn next<'a>(&self, queues: &'a [Arc<str>]) -> Vec<&'a Arc<str>> {
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(queues.len()).unwrap_or(0);
        let (later, sooner) = queues.split_at(first);
        sooner.iter().chain(later).collect()
    }
}

/// Each queue's equal share of a fetch of up to `limit` deliveries.
pub(crate) fn share(limit: usize, queues: usize) -> usize {
    (limit / queues.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_queue_is_first_in_its_turn() {
        let queues: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).into();
        let rotation = Rotation::default();
        let turn = || {
            rotation
                .next(&queues)
                .into_iter()
                .cloned()
                .collect::<Vec<_>>()
                .concat()
        };
        assert_eq!(
            [turn(), turn(), turn(), turn()],
            ["abc", "bca", "cab", "abc"]
        );
        assert!(rotation.next(&[]).is_empty());
    }

    #[test]
    fn a_share_is_never_empty() {
        assert_eq!([share(10, 3), share(2, 3), share(5, 0)], [3, 1, 5]);
    }
}
