//! A Redis Cluster of three masters and three replicas, with one queue on each master.
//!
//! Must not know workers or tasks.

use std::process::Command;

use chicory_testing::{until, until_some};
use nix::sys::signal::Signal;

use super::Ground;
use crate::fault::Fault;
use crate::server::Server;
use crate::task::QUEUES;

pub(super) const FAULTS: &[Fault] = &[
    Fault::FailsOver,
    Fault::MasterKilled,
    Fault::MasterFrozen,
    Fault::ReplicaKilled,
    Fault::SlotsMoved,
];

/// After this time without an answer, a node counts as failed, in milliseconds.
pub(super) const NODE_TIMEOUT_MS: u64 = 2_000;
/// How many keys are moved at once.
const KEYS: &str = "20";

#[derive(Debug)]
pub(super) struct Cluster {
    nodes: Vec<Server>,
    /// The faults so far: queues, and so masters, are taken in turn.
    turn: usize,
    /// The nodes that a fault is done to, and with.
    broken: usize,
    other: usize,
}

/// A node as `CLUSTER NODES` has it.
#[derive(Debug, Clone)]
struct Known {
    node: usize,
    id: String,
    is_master: bool,
    master: String,
    slots: Vec<(u16, u16)>,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let timeout = NODE_TIMEOUT_MS.to_string();
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            &timeout,
            "--cluster-require-full-coverage",
            "no",
        ];
        let nodes: Vec<_> = (0..6).map(|_| Server::start(&arguments, false)).collect();
        let hosts = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()));
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(hosts)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("redis-cli is installed");
        assert!(created.status.success(), "{created:?}");
        let mut ground = Self {
            nodes,
            turn: 0,
            broken: 0,
            other: 0,
        };
        ground.until_whole();
        ground
    }

    /// All nodes as this one knows them.
    fn known_to(&self, node: usize) -> Vec<Known> {
        let text: String = self.nodes[node]
            .query(&["CLUSTER", "NODES"])
            .unwrap_or_default();
        text.lines().filter_map(|line| self.read(line)).collect()
    }

    fn read(&self, line: &str) -> Option<Known> {
        let words: Vec<_> = line.split(' ').collect();
        let [id, address, flags, master, ..] = words.as_slice() else {
            return None;
        };
        let port: u16 = address.split(['@', ':']).nth(1)?.parse().ok()?;
        let slots = words.iter().skip(8).filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        Some(Known {
            node: self.nodes.iter().position(|node| node.port() == port)?,
            id: (*id).to_owned(),
            is_master: flags.contains("master") && !flags.contains("fail"),
            master: (*master).to_owned(),
            slots: slots.collect(),
        })
    }

    /// The slot of the queue whose turn it is.
    fn slot(&self) -> u16 {
        let key = format!("chicory:stream:{{{}}}", QUEUES[self.turn % QUEUES.len()]);
        let slot = self.nodes[0].query(&["CLUSTER", "KEYSLOT", &key]);
        slot.expect("a whole cluster answers")
    }

    /// The master that has a slot, as a node knows it.
    fn owner(&self, slot: u16) -> Known {
        let all = self.known_to(0).into_iter();
        let has = |one: &Known| {
            let mut slots = one.slots.iter();
            one.is_master && slots.any(|(first, last)| (*first..=*last).contains(&slot))
        };
        all.into_iter()
            .find(has)
            .expect("a whole cluster has all slots")
    }

    /// Moves some of the slot's keys; whether there may be more.
    fn moves_keys(&self, slot: u16) -> bool {
        let slot = slot.to_string();
        let from = &self.nodes[self.broken];
        let keys: Vec<String> = from
            .query(&["CLUSTER", "GETKEYSINSLOT", &slot, KEYS])
            .expect("the node answers");
        let port = self.nodes[self.other].port().to_string();
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        words.extend(keys.iter().map(String::as_str));
        if !keys.is_empty() {
            from.must(&words);
        }
        !keys.is_empty()
    }

    /// Begins to move the slot to the next master, with half of what is in it.
    fn begin_to_move(&mut self, slot: u16) {
        let owner = self.owner(slot);
        let masters = self.known_to(0);
        let other = masters
            .iter()
            .find(|one| one.is_master && one.node != owner.node)
            .expect("there are three masters");
        (self.broken, self.other) = (owner.node, other.node);
        let name = slot.to_string();
        self.nodes[self.other].must(&["CLUSTER", "SETSLOT", &name, "IMPORTING", &owner.id]);
        self.nodes[self.broken].must(&["CLUSTER", "SETSLOT", &name, "MIGRATING", &other.id]);
        self.moves_keys(slot);
    }

    /// Moves the rest, and tells all masters.
    fn end_move(&mut self, slot: u16) {
        while self.moves_keys(slot) {}
        let all = self.known_to(self.other);
        let new = all.iter().find(|one| one.node == self.other);
        let id = new.expect("a node knows itself").id.clone();
        let name = slot.to_string();
        let others = all.iter().filter(|one| one.is_master).map(|one| one.node);
        let order = [self.other, self.broken].into_iter().chain(others);
        for node in order.collect::<Vec<_>>() {
            self.nodes[node].must(&["CLUSTER", "SETSLOT", &name, "NODE", &id]);
        }
    }

    fn replica_of(&self, master: &str) -> Option<usize> {
        let all = self.known_to(0);
        let replica = all.iter().find(|one| one.master == master);
        replica.map(|one| one.node)
    }

    /// Whether all nodes see three masters, each with its replica in step, and all slots served.
    fn is_whole(&self) -> bool {
        let serves = |node: &Server| {
            node.query::<String>(&["CLUSTER", "INFO"])
                .is_ok_and(|info| info.contains("cluster_state:ok"))
        };
        let masters: Vec<_> = self.nodes.iter().filter(|node| node.is_master()).collect();
        let seen = |node| {
            self.known_to(node)
                .iter()
                .filter(|one| one.is_master)
                .count()
                == 3
        };
        masters.len() == 3
            && masters.iter().all(|node| node.replicas() == 1)
            && self.nodes.iter().all(serves)
            && (0..self.nodes.len()).all(seen)
    }
}

impl Ground for Cluster {
    fn url(&self) -> String {
        let hosts = self.nodes.iter().take(3);
        let hosts: Vec<_> = hosts
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    fn begin(&mut self, fault: Fault) {
        self.turn += 1;
        let slot = self.slot();
        let owner = self.owner(slot);
        self.broken = owner.node;
        let replica = until_some("a replica", || self.replica_of(&owner.id));
        match fault {
            Fault::FailsOver => {
                self.other = replica;
                self.nodes[replica].must(&["CLUSTER", "FAILOVER"]);
            }
            Fault::MasterKilled => self.nodes[owner.node].kill(),
            Fault::MasterFrozen => self.nodes[owner.node].signal(Signal::SIGSTOP),
            Fault::SlotsMoved => self.begin_to_move(slot),
            _ => {
                self.broken = replica;
                self.nodes[replica].kill();
            }
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::FailsOver => until("another master", || self.nodes[self.other].is_master()),
            Fault::MasterFrozen => self.nodes[self.broken].signal(Signal::SIGCONT),
            Fault::SlotsMoved => self.end_move(self.slot()),
            _ => self.nodes[self.broken].start_again(),
        }
    }

    fn until_whole(&mut self) {
        until("a whole cluster", || self.is_whole());
    }
}
