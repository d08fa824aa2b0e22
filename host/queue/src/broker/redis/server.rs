//! Where the server is, from the settings, and how a connection to it is opened: a single server
//! (TCP, TLS or a Unix socket), the master that Sentinels name, or a Cluster.
//!
//! Must not know what connections are used for, nor when to open one again.

use std::fmt;
use std::time::Duration;

use redis::aio::PubSub;
use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, TlsMode,
};
use tokio::sync::Mutex;

use super::fault::broker_error;
use super::hints::Hints;
use super::link::{Link, Shared};
use super::node::Node;
use super::socket::{self, Socket, tcp_settings};
use super::topology::Topology;
use crate::{BrokerError, RedisServer, mask_url, unencoded};

/// The longest wait for an answer, on connections where no command blocks.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server, or a group of them that acts as one.
pub(super) struct Server {
    /// Where it is, without secrets.
    place: String,
    endpoint: Endpoint,
    hints: Hints,
}

enum Endpoint {
    Single(Box<Client>),
    /// Asked again for each connection, so that a failover is followed.
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster {
        client: Box<ClusterClient>,
        seeds: Vec<Client>,
    },
}

impl Server {
    /// The server that the settings name. A URL takes precedence. Keys and channels start with one of the prefixes.
    pub(super) fn new(settings: &RedisServer, prefixes: &[&str]) -> Result<Self, BrokerError> {
        let place = place(settings);
        let endpoint = match &settings.url {
            Some(url) => {
                check_encoded(&url.0, &place)?;
                endpoint_of_url(&url.0)
            }
            None => single(plain(settings)?),
        };
        match endpoint {
            Ok(endpoint) => Ok(Self {
                place,
                endpoint,
                hints: Hints::new(prefixes),
            }),
            Err(error) => Err(broker_error(&place, &error)),
        }
    }

    /// How keys are spread over it.
    pub(super) fn topology(&self) -> Topology {
        match self.endpoint {
            Endpoint::Single(_) | Endpoint::Sentinel(_) => Topology::Single,
            Endpoint::Cluster { .. } => Topology::Cluster,
        }
    }

    /// What is known of the right to publish and subscribe.
    pub(super) fn hints(&self) -> &Hints {
        &self.hints
    }

    /// The broker's error for one of the client's.
    pub(super) fn broker_error(&self, error: &RedisError) -> BrokerError {
        broker_error(&self.place, error)
    }

    /// Opens a connection whose answers may take as long as `response`; none for any time.
    pub(super) async fn open(&self, response: Option<Duration>) -> RedisResult<Link> {
        let shared = |client: Client| async move {
            let opening = Shared::open(client.get_connection_info(), response);
            in_time(opening).await.map(Link::Single)
        };
        match &self.endpoint {
            Endpoint::Cluster { client, .. } => {
                Ok(Link::Cluster(client.get_async_connection().await?))
            }
            Endpoint::Single(client) => shared(Client::clone(client)).await,
            Endpoint::Sentinel(sentinel) => {
                let client =
                    in_time(async { sentinel.lock().await.async_get_client().await }).await?;
                shared(client).await
            }
        }
    }

    /// Opens a socket for blocking reads, on a Cluster to this node. The number by which a read on it can be ended comes
    /// with it, where that is possible.
    pub(super) async fn open_socket(
        &self,
        node: Option<&Node>,
    ) -> RedisResult<(Socket, Option<i64>)> {
        let numbered = self.topology().reads_can_be_interrupted();
        in_time(async {
            match &self.endpoint {
                Endpoint::Single(client) => {
                    socket::open(client.get_connection_info(), numbered).await
                }
                Endpoint::Sentinel(sentinel) => {
                    let client = sentinel.lock().await.async_get_client().await?;
                    socket::open(client.get_connection_info(), numbered).await
                }
                Endpoint::Cluster { seeds, .. } => {
                    let seed = seeds[0].get_connection_info();
                    let info = node.map_or_else(|| seed.clone(), |node| node.like(seed));
                    socket::open(&info, numbered).await
                }
            }
        })
        .await
    }

    /// Opens a connection for subscriptions.
    pub(super) async fn open_pubsub(&self) -> RedisResult<PubSub> {
        match &self.endpoint {
            Endpoint::Single(client) => in_time(client.get_async_pubsub()).await,
            Endpoint::Sentinel(sentinel) => {
                let client =
                    in_time(async { sentinel.lock().await.async_get_client().await }).await?;
                in_time(client.get_async_pubsub()).await
            }
            Endpoint::Cluster { seeds, .. } => open_any_pubsub(seeds).await,
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.place).finish()
    }
}

/// Messages are passed on to all nodes of a cluster, so any node will do.
async fn open_any_pubsub(seeds: &[Client]) -> RedisResult<PubSub> {
    let mut last = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node answers"));
    for client in seeds {
        match in_time(client.get_async_pubsub()).await {
            Ok(pubsub) => return Ok(pubsub),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn in_time<T>(opening: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
        Ok(result) => result,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

fn plain(settings: &RedisServer) -> Result<ConnectionInfo, BrokerError> {
    let mut redis = RedisConnectionInfo::default().set_db(settings.db);
    if let Some(username) = &settings.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &settings.password {
        redis = redis.set_password(&password.0);
    }
    ConnectionAddr::Tcp(settings.host.clone(), settings.port)
        .into_connection_info()
        .map(|info| info.set_redis_settings(redis))
        .map_err(|error| broker_error(&place(settings), &error))
}

fn single(info: ConnectionInfo) -> RedisResult<Endpoint> {
    Ok(Endpoint::Single(Box::new(open_client(info)?)))
}

fn open_client(info: ConnectionInfo) -> RedisResult<Client> {
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        install_tls();
    }
    Client::open(info.set_tcp_settings(tcp_settings()))
}

/// Chooses the cryptography that TLS runs on. Where the program chose one before, that one stays.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Refuses a URL whose credentials can't be told from the rest: another server would be asked, or part of them shown.
fn check_encoded(url: &str, place: &str) -> Result<(), BrokerError> {
    unencoded(url).map_or(Ok(()), |found| {
        Err(BrokerError::Invalid(format!(
            "the user or password in the URL of the Redis server ({place}) has the character {found:?}; percent-encode it: %{:02X}",
            u32::from(found)
        )))
    })
}

fn endpoint_of_url(url: &str) -> RedisResult<Endpoint> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err((
            ErrorKind::InvalidClientConfig,
            "the Redis URL has no scheme://",
        )
            .into());
    };
    match scheme {
        "redis-sentinel" => sentinel(rest, "redis"),
        "rediss-sentinel" => sentinel(rest, "rediss"),
        "redis-cluster" => cluster(rest, "redis"),
        "rediss-cluster" => cluster(rest, "rediss"),
        _ => single(url.into_connection_info()?),
    }
}

/// `[user:password@]host:port,host:port/master/db`. The credentials are the master's.
fn sentinel(rest: &str, scheme: &str) -> RedisResult<Endpoint> {
    let (nodes, path) = nodes(rest, scheme)?;
    let mut path = path.split('/');
    let master = match path.next() {
        Some(master) if !master.is_empty() => master,
        _ => {
            return Err((
                ErrorKind::InvalidClientConfig,
                "the URL names no master: redis-sentinel://host:port/MASTER/DB",
            )
                .into());
        }
    };
    let redis = nodes[0]
        .redis_settings()
        .clone()
        .set_db(database(path.next())?);
    let mut info = SentinelNodeConnectionInfo::default()
        .set_redis_connection_info(redis)
        .set_tcp_settings(tcp_settings());
    if scheme == "rediss" {
        install_tls();
        info = info.set_tls_mode(TlsMode::Secure);
    }
    let sentinels = nodes
        .into_iter()
        .map(|node| node.set_redis_settings(RedisConnectionInfo::default()))
        .collect();
    let client = SentinelClient::build(sentinels, master, Some(info), SentinelServerType::Master)?;
    Ok(Endpoint::Sentinel(Box::new(Mutex::new(client))))
}

/// `[user:password@]host:port,host:port`.
fn cluster(rest: &str, scheme: &str) -> RedisResult<Endpoint> {
    let (nodes, path) = nodes(rest, scheme)?;
    if database(Some(path))? != 0 {
        return Err((
            ErrorKind::InvalidClientConfig,
            "a Redis Cluster has database 0 only",
        )
            .into());
    }
    let seeds = nodes
        .iter()
        .cloned()
        .map(open_client)
        .collect::<RedisResult<Vec<_>>>()?;
    let client = ClusterClient::builder(nodes)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .tcp_settings(tcp_settings())
        .build()?;
    Ok(Endpoint::Cluster {
        client: Box::new(client),
        seeds,
    })
}

/// The nodes of a URL, each with the URL's credentials, and what follows the first slash.
fn nodes<'a>(rest: &'a str, scheme: &str) -> RedisResult<(Vec<ConnectionInfo>, &'a str)> {
    // A password may hold a slash only in its encoded form, so the first one ends the hosts.
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), authority),
    };
    let nodes = hosts
        .split(',')
        .map(|host| format!("{scheme}://{credentials}{host}/").into_connection_info())
        .collect::<RedisResult<Vec<_>>>()?;
    Ok((nodes, path))
}

fn database(text: Option<&str>) -> RedisResult<i64> {
    match text {
        None | Some("") => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            (
                ErrorKind::InvalidClientConfig,
                "the URL's database is not a number",
            )
                .into()
        }),
    }
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
