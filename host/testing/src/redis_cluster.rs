//! A Redis Cluster for one test: three masters, each with a replica, on free ports of 127.0.0.1.
//!
//! Must not know brokers' insides.

use chicory_queue::{BrokerConfig, RedisConfig, RedisServer as Address, ResultsConfig, Secret};
use redis::FromRedisValue;

use crate::{RedisServer, until};

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// A running Cluster.
#[derive(Debug)]
pub struct RedisCluster {
    /// Masters first, then their replicas in the same order.
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a Cluster in which a master counts as failed after a second.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with further arguments for each redis-server.
    pub fn start_with(arguments: &[&str]) -> Self {
        let own = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
            "--cluster-announce-ip",
            "127.0.0.1",
        ];
        let arguments = [&own[..], arguments].concat();
        let nodes: Vec<_> = (0..2 * MASTERS)
            .map(|_| RedisServer::start_with(&arguments))
            .collect();
        let cluster = Self { nodes };
        cluster.meet();
        cluster
    }

    fn meet(&self) {
        let width = SLOTS.div_ceil(MASTERS);
        for (place, node) in self.nodes[..MASTERS].iter().enumerate() {
            let (from, to) = (place * width, SLOTS.min((place + 1) * width) - 1);
            let range = [from, to].map(|slot| slot.to_string());
            // Each needs an epoch of its own, or two of them have to agree on one first.
            let epoch = (place + 1).to_string();
            node.query::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
            if node
                .query::<String>(&["INFO", "server"])
                .contains("redis_version:6")
            {
                let slots: Vec<String> = (from..=to).map(|slot| slot.to_string()).collect();
                let words = ["CLUSTER", "ADDSLOTS"].into_iter();
                let words: Vec<&str> = words.chain(slots.iter().map(String::as_str)).collect();
                node.query::<()>(&words);
            } else {
                node.query::<()>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
            }
        }
        let first = self.nodes[0].port().to_string();
        for node in &self.nodes[1..] {
            node.query::<()>(&["CLUSTER", "MEET", "127.0.0.1", &first]);
        }
        self.until_all("know each other", |nodes| {
            nodes.lines().count() == 2 * MASTERS
        });
        for place in 0..MASTERS {
            let id: String = self.nodes[place].query(&["CLUSTER", "MYID"]);
            self.nodes[MASTERS + place].query::<()>(&["CLUSTER", "REPLICATE", &id]);
        }
        self.until_all("have their parts", |nodes| {
            nodes.matches("slave").count() == MASTERS && !nodes.contains("handshake")
        });
        until("the Cluster", || {
            self.nodes.iter().all(|node| {
                let info: String = node.query(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok")
            })
        });
        for replica in &self.nodes[MASTERS..] {
            until("a replica in step", || {
                let info: String = replica.query(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            });
        }
    }

    fn until_all(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        until(&format!("nodes that {what}"), || {
            let mut nodes = self.nodes.iter();
            nodes.all(|node| is_so(&node.query::<String>(&["CLUSTER", "NODES"])))
        });
    }

    /// Its URL, which names two of the nodes.
    pub fn url(&self) -> String {
        let [first, second] = [0, 1].map(|place| self.nodes[place].port());
        format!("redis-cluster://127.0.0.1:{first},127.0.0.1:{second}")
    }

    /// The broker's settings for it, all else by default.
    pub fn config(&self) -> BrokerConfig {
        let server = Address {
            url: Some(Secret(self.url())),
            ..Address::default()
        };
        let redis = RedisConfig {
            server,
            ..RedisConfig::default()
        };
        BrokerConfig::Redis(redis, ResultsConfig::default())
    }

    /// Its nodes: masters first, then their replicas in the same order, as they were at the start.
    pub fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// The place among the nodes of the master that has this key, as those at `but` don't say.
    pub fn master_of(&self, key: &str, but: &[usize]) -> usize {
        let asked = (0..self.nodes.len()).find(|place| !but.contains(place));
        let asked = &self.nodes[asked.expect("a node to ask")];
        let slot: u64 = asked.query(&["CLUSTER", "KEYSLOT", key]);
        let ranges: Vec<Vec<redis::Value>> = asked.query(&["CLUSTER", "SLOTS"]);
        let port = ranges.into_iter().find_map(|range| {
            let [from, to] = [0, 1].map(|at| u64::from_redis_value_ref(&range[at]).ok());
            let master = Vec::<redis::Value>::from_redis_value_ref(&range[2]).ok()?;
            let port = u16::from_redis_value_ref(&master[1]).ok()?;
            (from? <= slot && slot <= to?).then_some(port)
        });
        let port = port.expect("every slot has a master");
        let place = self.nodes.iter().position(|node| node.port() == port);
        place.expect("the master is one of the nodes")
    }

    /// Runs a command for this key where it is now.
    pub fn query_at<T: FromRedisValue>(&self, key: &str, words: &[&str]) -> T {
        self.nodes[self.master_of(key, &[])].query(words)
    }
}
