//! The Redis that the settings name: where it is, what kind it is, and whether hints are allowed there.
//!
//! Must not know what is stored there.

use std::fmt;
use std::sync::Arc;

use redis::aio::PubSub;
use redis::{ConnectionInfo, ErrorKind, RedisError, RedisResult};

use super::address::Address;
use super::fault::broker_error;
use super::hints::Hints;
use super::sentinels::Sentinels;
use super::target::Target;
use super::tls::Tls;
use super::topology::Topology;
use crate::{BrokerError, RedisServer, mask_url, unencoded};

/// A server, or a group of them that acts as one.
pub(super) struct Server {
    /// Where it is, without secrets.
    place: String,
    endpoint: Endpoint,
    hints: Hints,
}

/// What connections lead to.
pub(super) enum Endpoint {
    One(Arc<Target>),
    /// Some nodes of a Cluster.
    Cluster {
        seeds: Vec<ConnectionInfo>,
        tls: Tls,
    },
}

impl Server {
    /// The server that the settings name. Keys and channels start with one of the prefixes.
    pub(super) fn new(settings: &RedisServer, prefixes: &[&str]) -> Result<Self, BrokerError> {
        let place = place(settings);
        if let Some(url) = &settings.url {
            check_encoded(&url.0, &place)?;
        }
        match endpoint(settings) {
            Ok(endpoint) => Ok(Self {
                place,
                endpoint,
                hints: Hints::new(prefixes),
            }),
            Err(error) => Err(broker_error(&place, &error)),
        }
    }

    /// What connections lead to.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How keys are spread over it.
    pub(super) fn topology(&self) -> Topology {
        match self.endpoint {
            Endpoint::One(_) => Topology::Single,
            Endpoint::Cluster { .. } => Topology::Cluster,
        }
    }

    /// What is known about the right to publish and subscribe.
    pub(super) fn hints(&self) -> &Hints {
        &self.hints
    }

    /// The broker's error for one of the client's.
    pub(super) fn broker_error(&self, error: &RedisError) -> BrokerError {
        broker_error(&self.place, error)
    }

    /// Whether the master after this number of switches is still the master and no other is being chosen.
    pub(super) async fn is_still_master(&self, switches: u64) -> bool {
        match &self.endpoint {
            Endpoint::One(target) => target.is_still_master(switches).await,
            // A Cluster's master that hands over lets its successor catch up first.
            Endpoint::Cluster { .. } => true,
        }
    }

    /// The error of a write to a master that was being replaced.
    pub(super) fn replaced(&self) -> BrokerError {
        BrokerError::Replaced {
            place: self.place.clone(),
        }
    }

    /// The error of a write that too few replicas have confirmed.
    pub(super) fn not_replicated(&self, wanted: u32, confirmed: u32) -> BrokerError {
        BrokerError::NotReplicated {
            place: self.place.clone(),
            wanted,
            confirmed,
        }
    }

    /// Opens a connection for subscriptions. Also returns how many times its master had been replaced by then.
    pub(super) async fn open_pubsub(&self) -> RedisResult<(PubSub, u64)> {
        match &self.endpoint {
            Endpoint::One(target) => {
                let switches = target.switches();
                Ok((target.open_pubsub().await?, switches))
            }
            Endpoint::Cluster { seeds, tls } => Ok((open_any_pubsub(seeds, tls).await?, 0)),
        }
    }

    /// Returns once the master has been replaced since then.
    pub(super) async fn switched(&self, since: u64) {
        match &self.endpoint {
            Endpoint::One(target) => target.switched(since).await,
            Endpoint::Cluster { .. } => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.place).finish()
    }
}

fn endpoint(settings: &RedisServer) -> RedisResult<Endpoint> {
    let address = Address::new(settings)?;
    let tls = Tls::new(&settings.tls)?;
    Ok(match address {
        Address::Server(info) => Endpoint::One(Arc::new(Target::at(*info, tls))),
        Address::Master {
            sentinels,
            name,
            settings,
        } => {
            let sentinels = Sentinels::new(sentinels, name, *settings);
            Endpoint::One(Arc::new(Target::master(sentinels, tls)))
        }
        Address::Cluster(seeds) => Endpoint::Cluster { seeds, tls },
    })
}

/// Refuses a URL whose credentials can't be told from the rest; otherwise the wrong server would be used, or part of
/// the credentials shown.
fn check_encoded(url: &str, place: &str) -> Result<(), BrokerError> {
    unencoded(url).map_or(Ok(()), |found| {
        Err(BrokerError::Invalid(format!(
            "the user or password in the URL of the Redis server ({place}) has the character {found:?}; percent-encode it: %{:02X}",
            u32::from(found)
        )))
    })
}

/// Messages are passed on to all nodes of a cluster, so any node will do.
async fn open_any_pubsub(seeds: &[ConnectionInfo], tls: &Tls) -> RedisResult<PubSub> {
    let mut last = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node answers"));
    for seed in seeds {
        match Target::at(seed.clone(), tls.clone()).open_pubsub().await {
            Ok(pubsub) => return Ok(pubsub),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Where the server is, as messages show it: without user, password and query.
fn place(settings: &RedisServer) -> String {
    match &settings.url {
        None => format!("{}:{}", settings.host, settings.port),
        // A text that is not a URL could be anything, for example a password.
        Some(url) => mask_url(&url.0).unwrap_or_else(|| "the configured URL".to_owned()),
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use chicory_signature::with_causes;

    fn with_url(url: &str) -> RedisServer {
        RedisServer {
            url: Some(Secret(url.into())),
            ..RedisServer::default()
        }
    }

    #[test]
    fn all_kinds_of_urls_are_read() {
        for (url, topology, place) in [
            (
                "redis://user:secret@h:1/2",
                Topology::Single,
                "redis://h:1/2",
            ),
            ("rediss://:secret@h", Topology::Single, "rediss://h"),
            (
                "unix:///run/redis.sock?db=1&pass=secret",
                Topology::Single,
                "unix:///run/redis.sock",
            ),
            (
                "redis+unix:///run/redis.sock",
                Topology::Single,
                "redis+unix:///run/redis.sock",
            ),
            (
                "redis-sentinel://u:secret@a:1,b:2/mymaster/3",
                Topology::Single,
                "redis-sentinel://a:1,b:2/mymaster/3",
            ),
            (
                "redis-cluster://u:secret@a:1,b:2",
                Topology::Cluster,
                "redis-cluster://a:1,b:2",
            ),
        ] {
            let server =
                Server::new(&with_url(url), &[]).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(
                (server.topology(), server.place.as_str()),
                (topology, place),
                "{url}"
            );
            assert!(!format!("{server:?}").contains("secret"), "{server:?}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_its_secret() {
        for url in [
            "secret",
            "http://:secret@h",
            "redis://:secret@h/x",
            "redis-sentinel://:secret@h:1",
            "redis-cluster://:secret@h:1/1",
        ] {
            let error = Server::new(&with_url(url), &[]).expect_err(url);
            assert!(
                matches!(error, BrokerError::Refused { .. }),
                "{url}: {error:?}"
            );
            let said = with_causes(&error);
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
