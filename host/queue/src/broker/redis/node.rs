//! Which node of a Cluster has a key.
//!
//! Must not know what the key is for.

use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisResult, cmd, from_redis_value};

/// A node's address, as far as the Cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Empty where the node doesn't know by which address it is reached.
    host: String,
    port: u16,
}

impl Node {
    /// The master that has this key.
    pub(super) async fn of(connection: &mut ClusterConnection, key: &str) -> RedisResult<Self> {
        let mut ask = cmd("CLUSTER");
        ask.arg("NODES");
        let route = Route::with_key(key, SlotAddr::Master);
        let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
        let reply = connection.route_command(ask, routing).await?;
        let nodes: String = from_redis_value(reply)?;
        Self::that_answers(&nodes).ok_or_else(|| {
            let text = "the node that has the queue doesn't say where it is";
            (ErrorKind::ClusterConnectionNotFound, text).into()
        })
    }

    /// The address in a redirection, `host:port`.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    }

    /// Of lines such as `ID 127.0.0.1:7000@17000,name myself,master …`.
    fn that_answers(nodes: &str) -> Option<Self> {
        nodes.lines().find_map(|line| {
            let mut words = line.split(' ');
            let (address, flags) = (words.nth(1)?, words.next()?);
            let is_it = flags.split(',').any(|flag| flag == "myself");
            let address = address.split(['@', ',']).next()?;
            is_it.then(|| Self::parse(address)).flatten()
        })
    }

    /// How it is reached, if another node of the Cluster is reached like this.
    pub(super) fn like(&self, other: &ConnectionInfo) -> ConnectionInfo {
        let host = |known: &String| match self.host.as_str() {
            "" => known.clone(),
            own => own.to_owned(),
        };
        let address = match other.addr() {
            ConnectionAddr::Tcp(known, _) => ConnectionAddr::Tcp(host(known), self.port),
            ConnectionAddr::TcpTls {
                host: known,
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host: host(known),
                port: self.port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            other => other.clone(),
        };
        other.clone().set_addr(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::IntoConnectionInfo;

    #[test]
    fn the_node_that_answers_is_found_among_all() {
        let nodes = "a1 10.0.0.1:7000@17000 master - 0 0 1 connected 0-5460\n\
                     b2 10.0.0.2:7001@17001,name myself,master - 0 0 2 connected 5461-16383\n";
        let node = Node::that_answers(nodes).expect("a node");
        assert_eq!((node.host.as_str(), node.port), ("10.0.0.2", 7001));
        let seed = "redis://user:pw@seed:1"
            .into_connection_info()
            .expect("a URL");
        let info = node.like(&seed);
        assert_eq!(info.addr().to_string(), "10.0.0.2:7001");
        assert_eq!(info.redis_settings().username(), Some("user"));
    }

    #[test]
    fn a_node_without_an_address_is_where_it_was_asked() {
        let node =
            Node::that_answers("b2 :7001@17001 myself,master - 0 0 2 connected").expect("a node");
        let seed = "redis://seed:1".into_connection_info().expect("a URL");
        assert_eq!(node.like(&seed).addr().to_string(), "seed:7001");
        assert_eq!(
            Node::parse("[::1]:7000").map(|node| node.host),
            Some("::1".into())
        );
        assert_eq!(Node::that_answers("b2 :7001@17001 master"), None);
    }
}
