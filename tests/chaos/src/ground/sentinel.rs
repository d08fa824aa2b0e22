//! A master, two replicas and three Sentinels.
//!
//! Must not know workers or tasks.

use chicory_testing::{RedisServer, until, until_some};
use nix::sys::signal::Signal;

use super::Ground;
use crate::fault::Fault;
use crate::server::Server;

pub(super) const FAULTS: &[Fault] = &[
    Fault::FailsOver,
    Fault::MasterKilled,
    Fault::MasterFrozen,
    Fault::ReplicaKilled,
];

/// A new master sends its data as soon as a replica asks. By default it waits for 5 seconds whether others do.
const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];
/// The master's name.
const NAME: &str = "chaos";

#[derive(Debug)]
pub(super) struct Sentinel {
    nodes: Vec<Server>,
    sentinels: Vec<RedisServer>,
    /// The node that a fault is done to.
    broken: usize,
}

impl Sentinel {
    pub(super) fn start() -> Self {
        let master = Server::start(&AT_ONCE, false);
        let port = master.port();
        let address = format!("127.0.0.1 {port}");
        let mut nodes = vec![master];
        nodes.extend((0..2).map(|_| {
            let arguments = [&AT_ONCE[..], &["--replicaof", &address]].concat();
            Server::start(&arguments, false)
        }));
        until("two replicas", || nodes[0].replicas() == 2);
        let sentinels: Vec<_> = (0..3)
            .map(|_| RedisServer::start_sentinel(NAME, port))
            .collect();
        for sentinel in &sentinels {
            for (option, value) in [
                ("down-after-milliseconds", "1000"),
                ("failover-timeout", "2000"),
                ("quorum", "2"),
            ] {
                sentinel.query::<()>(&["SENTINEL", "SET", NAME, option, value]);
            }
        }
        let ground = Self {
            nodes,
            sentinels,
            broken: 0,
        };
        until("Sentinels that know each other", || {
            ground.knows("num-other-sentinels", 2) && ground.knows("num-slaves", 2)
        });
        ground
    }

    /// Whether all Sentinels have this number.
    fn knows(&self, field: &str, number: u32) -> bool {
        self.sentinels.iter().all(|sentinel| {
            let state: std::collections::HashMap<String, String> =
                sentinel.query(&["SENTINEL", "MASTER", NAME]);
            state.get(field) == Some(&number.to_string())
        })
    }

    /// The node that all Sentinels call the master; none while they differ.
    fn master(&self) -> Option<usize> {
        let of = |sentinel: &RedisServer| -> (String, u16) {
            sentinel.query(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])
        };
        let ports: Vec<u16> = self.sentinels.iter().map(|one| of(one).1).collect();
        let agreed = ports.iter().all(|port| *port == ports[0]);
        let node = self.nodes.iter().position(|node| node.port() == ports[0]);
        node.filter(|_| agreed)
    }

    fn new_master(&self) -> usize {
        until_some("a master", || self.master())
    }
}

impl Ground for Sentinel {
    fn url(&self) -> String {
        let hosts: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port()))
            .collect();
        format!("redis-sentinel://{}/{NAME}/0", hosts.join(","))
    }

    fn begin(&mut self, fault: Fault) {
        let master = self.new_master();
        self.broken = master;
        match fault {
            Fault::FailsOver => {
                self.sentinels[0].query::<()>(&["SENTINEL", "FAILOVER", NAME]);
            }
            Fault::MasterKilled => self.nodes[master].kill(),
            Fault::MasterFrozen => self.nodes[master].signal(Signal::SIGSTOP),
            _ => {
                self.broken = (master + 1) % self.nodes.len();
                self.nodes[self.broken].kill();
            }
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::FailsOver => until("another master", || {
                self.master()
                    .is_some_and(|node| node != self.broken && self.nodes[node].is_master())
            }),
            Fault::MasterFrozen => self.nodes[self.broken].signal(Signal::SIGCONT),
            _ => self.nodes[self.broken].start_again(),
        }
    }

    /// A node that comes back is made a replica after some seconds; until then it can't take over.
    fn until_whole(&mut self) {
        until("a master with two replicas", || {
            self.master()
                .is_some_and(|node| self.nodes[node].replicas() == 2)
                && self.knows("num-slaves", 2)
        });
    }
}
