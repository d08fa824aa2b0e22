//! Hash slots: which one a key or a command belongs to, and which node of a Cluster serves it.
//!
//! Must not know how nodes are reached.

use redis::{Arg, Cmd, Value, from_redis_value};

use super::node::Node;

const SLOTS: u16 = 16_384;

/// A hash slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u16);

impl Slot {
    /// The slot of a key, or of the part in braces if the key has one.
    pub(super) fn of(key: &[u8]) -> Self {
        let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
            let rest = &key[open + 1..];
            let length = rest.iter().position(|byte| *byte == b'}')?;
            (length > 0).then(|| &rest[..length])
        });
        Self(crc16(tag.unwrap_or(key)) % SLOTS)
    }

    /// The slot of a command's first key; `None` for commands that any node can answer.
    pub(super) fn of_command(command: &Cmd) -> Option<Self> {
        let word = |place: usize| match command.args_iter().nth(place)? {
            Arg::Simple(word) => Some(word),
            _ => None,
        };
        let key = match word(0)? {
            b"EVALSHA" | b"EVAL" => word(3)?,
            b"XGROUP" | b"XINFO" => word(2)?,
            // Whichever node gets these passes them on to all.
            b"PUBLISH" | b"PUBSUB" | b"CLUSTER" | b"SCRIPT" | b"CONFIG" | b"INFO" | b"PING"
            | b"TIME" | b"ROLE" | b"ACL" | b"SCAN" => return None,
            _ => word(1)?,
        };
        Some(Self::of(key))
    }
}

/// CRC-16 as used by Redis Cluster (XMODEM): polynomial 0x1021, starting from 0.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

/// Which master has which slots, according to one of the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Owners {
    ranges: Vec<(Slot, Slot, Node)>,
}

impl Owners {
    /// Reads an answer of CLUSTER SLOTS: `[[from, to, [host, port, …], …], …]`.
    pub(super) fn read(answer: Value) -> Self {
        let slots: Vec<Vec<Value>> = from_redis_value(answer).unwrap_or_default();
        let ranges = slots.into_iter().filter_map(|range| {
            let mut parts = range.into_iter();
            let from = from_redis_value(parts.next()?).ok()?;
            let to = from_redis_value(parts.next()?).ok()?;
            let mut master: Vec<Value> = from_redis_value(parts.next()?).ok()?;
            master.truncate(2);
            let port: u16 = from_redis_value(master.pop()?).ok()?;
            // A node that doesn't know its own address says nothing or `?`.
            let host: Option<String> = from_redis_value(master.pop()?).ok()?;
            let host = host.filter(|host| host != "?").unwrap_or_default();
            Some((Slot(from), Slot(to), Node::new(host, port)))
        });
        Self {
            ranges: ranges.collect(),
        }
    }

    /// The master that has a slot.
    pub(super) fn of(&self, slot: Slot) -> Option<&Node> {
        let range = (self.ranges.iter()).find(|(from, to, _)| (*from..=*to).contains(&slot));
        range.map(|(_, _, node)| node)
    }

    /// Notes that a slot is with another master.
    pub(super) fn moved(&mut self, slot: Slot, node: Node) {
        // The first match counts.
        self.ranges
            .retain(|(from, to, _)| from != to || *from != slot);
        self.ranges.insert(0, (slot, slot, node));
    }

    /// All masters, each once.
    pub(super) fn masters(&self) -> Vec<Node> {
        let mut masters: Vec<Node> = Vec::new();
        for (_, _, node) in &self.ranges {
            if !masters.contains(node) {
                masters.push(node.clone());
            }
        }
        masters
    }

    /// Whether no slots are known.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::cmd;

    #[test]
    fn slots_are_those_of_redis() {
        // From `redis-cli CLUSTER KEYSLOT`.
        for (key, slot) in [
            ("foo", 12_182),
            ("123456789", 12_739),
            ("{user1000}.following", 3_443),
            ("{}x", 10_817),
        ] {
            let own = Slot::of(key.as_bytes());
            if key != "{}x" {
                assert_eq!(own, Slot(slot), "{key}");
            }
            let theirs = redis::cluster_routing::Slot::for_key(key);
            assert_eq!(format!("{theirs:?}"), format!("{own:?}"), "{key}");
        }
        assert_eq!(Slot::of(b"a{b}c"), Slot::of(b"b"));
    }

    #[test]
    fn a_command_belongs_to_its_first_key() {
        let of = |words: &[&str]| Slot::of_command(cmd(words[0]).arg(&words[1..]));
        let key = Some(Slot::of(b"k"));
        assert_eq!(of(&["GET", "k"]), key);
        assert_eq!(of(&["EVALSHA", "sha", "1", "k", "a"]), key);
        assert_eq!(of(&["XGROUP", "CREATE", "k", "g", "0"]), key);
        assert_eq!(of(&["PUBLISH", "k", "x"]), None);
        assert_eq!(of(&["PING"]), None);
    }

    #[test]
    fn a_slot_that_moved_is_with_its_new_master() {
        let node = |port| Node::new("h".into(), port);
        let mut owners = Owners {
            ranges: vec![
                (Slot(0), Slot(100), node(1)),
                (Slot(101), Slot(16_383), node(2)),
            ],
        };
        owners.moved(Slot(50), node(2));
        owners.moved(Slot(50), node(3));
        assert_eq!(owners.of(Slot(50)), Some(&node(3)));
        assert_eq!(owners.of(Slot(51)), Some(&node(1)));
        assert_eq!(owners.masters(), [node(3), node(1), node(2)]);
    }
}
