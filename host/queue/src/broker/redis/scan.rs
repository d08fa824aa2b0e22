//! Finding keys by a pattern, on every node where there are several.
//!
//! Must not know what the keys are.

use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, FromRedisValue, RedisResult, Value, cmd, from_redis_value};

use super::connection::Connection;
use super::link::Link;
use super::topology::Topology;
use crate::BrokerError;

/// Keys looked at in one step of the server.
const STEP: usize = 2000;

/// A node of a Cluster: host and port.
type Node = (String, u16);

impl Connection {
    /// All keys that match the pattern; a key may be named twice.
    pub(super) async fn scan(&self, pattern: &str) -> Result<Vec<String>, BrokerError> {
        let found = match self.server().topology() {
            Topology::Single => self.scan_node(pattern, None).await,
            Topology::Cluster => self.scan_nodes(pattern).await,
        };
        found.map_err(|error| self.server().broker_error(&error))
    }

    async fn scan_nodes(&self, pattern: &str) -> RedisResult<Vec<String>> {
        let slots: Value = self.query(cmd("CLUSTER").arg("SLOTS")).await?;
        let mut nodes = masters(slots);
        nodes.sort();
        nodes.dedup();
        let mut keys = Vec::new();
        for node in &nodes {
            keys.extend(self.scan_node(pattern, Some(node)).await?);
        }
        Ok(keys)
    }

    async fn scan_node(&self, pattern: &str, node: Option<&Node>) -> RedisResult<Vec<String>> {
        let mut keys = Vec::new();
        let mut cursor = 0u64;
        loop {
            let mut command = cmd("SCAN");
            command
                .arg(cursor)
                .arg("MATCH")
                .arg(pattern)
                .arg("COUNT")
                .arg(STEP);
            let (next, page): (u64, Vec<String>) = match node {
                None => self.query(&command).await?,
                Some(node) => self.query_node(command, node).await?,
            };
            keys.extend(page);
            if next == 0 {
                return Ok(keys);
            }
            cursor = next;
        }
    }

    async fn query_node<T: FromRedisValue>(&self, command: Cmd, node: &Node) -> RedisResult<T> {
        match self.link().await?.0 {
            Link::Single(_) => self.query(&command).await,
            Link::Cluster(mut connection) => {
                let (host, port) = node.clone();
                let route =
                    RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
                let answer = connection.route_command(command, route).await?;
                Ok(from_redis_value(answer.extract_error()?)?)
            }
        }
    }
}

/// The masters in an answer of CLUSTER SLOTS: `[[from, to, [host, port, …], …], …]`.
fn masters(slots: Value) -> Vec<Node> {
    let Ok(slots) = from_redis_value::<Vec<Vec<Value>>>(slots) else {
        return Vec::new();
    };
    let master = |slot: Vec<Value>| {
        let node: Vec<Value> = from_redis_value(slot.into_iter().nth(2)?).ok()?;
        let mut parts = node.into_iter();
        let host = from_redis_value(parts.next()?).ok()?;
        let port = from_redis_value(parts.next()?).ok()?;
        Some((host, port))
    };
    slots.into_iter().filter_map(master).collect()
}
