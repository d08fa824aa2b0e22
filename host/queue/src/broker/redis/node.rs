//! A node of a Cluster, or a server that a Sentinel names: where it is, and how it is reached.
//!
//! Must not know what is on it.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo};

/// A node's address, as far as the others know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Empty if the node doesn't know the address it is reached by.
    host: String,
    port: u16,
}

impl Node {
    pub(super) fn new(host: String, port: u16) -> Self {
        Self { host, port }
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

    /// How to reach it, given how another node is reached.
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

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::IntoConnectionInfo;

    #[test]
    fn a_node_is_reached_as_the_others_are() {
        let seed = "redis://user:pw@seed:1"
            .into_connection_info()
            .expect("a URL");
        let info = Node::new("10.0.0.2".into(), 7001).like(&seed);
        assert_eq!(info.addr().to_string(), "10.0.0.2:7001");
        assert_eq!(info.redis_settings().username(), Some("user"));
        let unknown = Node::new(String::new(), 7001);
        assert_eq!(unknown.like(&seed).addr().to_string(), "seed:7001");
    }

    #[test]
    fn an_address_of_six_is_read() {
        let node = Node::parse("[::1]:7000").expect("an address");
        assert_eq!((node.host.as_str(), node.port), ("::1", 7000));
        assert_eq!(Node::parse("h"), None);
    }
}
