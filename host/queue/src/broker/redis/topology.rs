//! How keys are spread over servers, and what follows for the commands that use them.
//!
//! Must not know commands, nor how a connection is opened.

use std::time::Duration;

/// How long one queue is listened to on a Cluster while others wait for their turn: a read covers only one queue there.
const CLUSTER_TURN: Duration = Duration::from_millis(200);

/// How keys are spread over servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topology {
    /// One server has all keys.
    Single,
    /// Keys are spread over slots, and slots over the nodes of a Redis Cluster. A command or a script uses
    /// keys of one slot only.
    Cluster,
}

impl Topology {
    /// Whether one script may use the keys of several queues, of results and of the registry.
    pub(super) fn keys_are_together(self) -> bool {
        self == Self::Single
    }

    /// A name as part of a key. All keys of one name share a slot.
    pub(super) fn tag(self, name: &str) -> String {
        match self {
            Self::Single => name.to_owned(),
            Self::Cluster => format!("{{{name}}}"),
        }
    }

    /// The name that this part of a key was made from by [`Topology::tag`].
    pub(super) fn name(self, tag: &str) -> Option<&str> {
        match self {
            Self::Single => Some(tag),
            Self::Cluster => tag.strip_prefix('{')?.strip_suffix('}'),
        }
    }

    /// The maximum number of queues that one read covers if up to `wanted` deliveries are wanted.
    pub(super) fn queues_per_read(self, queues: usize, wanted: usize) -> usize {
        match self {
            Self::Single => queues.min(wanted),
            Self::Cluster => 1,
        }
    }

    /// How long one of several groups of queues is listened to before the next one's turn.
    pub(super) fn turn(self) -> Duration {
        match self {
            Self::Cluster => CLUSTER_TURN,
            Self::Single => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_the_name_it_was_made_from() {
        for topology in [Topology::Single, Topology::Cluster] {
            assert_eq!(topology.name(&topology.tag("mail")), Some("mail"));
        }
        assert_eq!(Topology::Cluster.name("mail"), None);
    }

    #[test]
    fn a_read_on_a_cluster_covers_one_queue() {
        assert_eq!(Topology::Single.queues_per_read(3, 2), 2);
        assert_eq!(Topology::Cluster.queues_per_read(3, 2), 1);
    }
}
