//! The brokers' settings, which only hold valid values. The code that reads the settings parses and checks them.
//!
//! Must not know where settings come from.

use std::path::PathBuf;
use std::time::Duration;

use crate::{BrokerError, Secret};

/// Which broker, and its settings.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one in a process")]
pub enum BrokerConfig {
    /// A Redis server, and where results go.
    Redis(RedisConfig, ResultsConfig),
    /// One file.
    Sqlite(SqliteConfig),
}

/// How to reach a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database number.
    pub db: i64,
    /// ACL user.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// A complete URL, which takes precedence over all of the above: `redis://`, `rediss://`, `redis+unix://` or
    /// `unix://`, `redis-sentinel://host:port,host:port/master/db`, `redis-cluster://host:port,…`.
    pub url: Option<Secret>,
    /// ACL user on the Sentinels of a `redis-sentinel://` URL; the URL's own user is for the master.
    pub sentinel_username: Option<String>,
    /// Password of the Sentinels.
    pub sentinel_password: Option<Secret>,
    /// Files for TLS with `rediss://` URLs. With host and port, naming any of them turns TLS on.
    pub tls: RedisTls,
}

/// Files for TLS connections, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// The authorities that servers' certificates are checked against, instead of those that the machine trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate shown to servers, with those between it and its authority. Needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The certificate's key.
    pub key_file: Option<PathBuf>,
}

impl Default for RedisServer {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 6379,
            db: 0,
            username: None,
            password: None,
            url: None,
            sentinel_username: None,
            sentinel_password: None,
            tls: RedisTls::default(),
        }
    }
}

/// The Redis broker's settings, named as in Chicory for Python.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// Where the server is.
    pub server: RedisServer,
    /// The consumer group that all workers share.
    pub consumer_group: String,
    /// The longest wait for new messages (`block_ms`).
    pub block: Duration,
    /// How long a lease lasts (`claim_min_idle_ms`).
    pub claim_min_idle: Duration,
    /// Maximum number of messages in a queue's stream; `None` for no limit.
    pub max_stream_length: Option<u64>,
    /// Maximum number of dead letters that a queue keeps; `None` for no limit.
    pub dlq_max_length: Option<u64>,
    /// The prefix of all keys.
    pub key_prefix: String,
    /// How many replicas must confirm each enqueue and settlement (WAIT), at most 100; 0 asks none. An enqueue that
    /// fewer confirm fails with [`BrokerError::NotReplicated`]; a settlement stands.
    pub wait_replicas: u32,
    /// How long they may take, up to 5 seconds (`wait_timeout_ms`).
    pub wait_timeout: Duration,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            server: RedisServer::default(),
            consumer_group: "chicory-workers".into(),
            block: Duration::from_secs(5),
            claim_min_idle: Duration::from_secs(30),
            max_stream_length: None,
            dlq_max_length: Some(10_000),
            key_prefix: "chicory".into(),
            wait_replicas: 0,
            wait_timeout: Duration::from_secs(1),
        }
    }
}

/// Where results go and for how long.
#[derive(Debug, Clone)]
pub struct ResultsConfig {
    /// A separate server for results; `None` for the broker's.
    pub server: Option<RedisServer>,
    /// How long states and results are kept; zero means they never expire.
    pub ttl: Duration,
    /// The prefix of the keys of results.
    pub key_prefix: String,
}

impl Default for ResultsConfig {
    fn default() -> Self {
        Self {
            server: None,
            ttl: Duration::from_hours(1),
            key_prefix: "chicory".into(),
        }
    }
}

/// The embedded broker's settings.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The database file, created if it is missing.
    pub path: PathBuf,
    /// How long a lease lasts.
    pub lease: Duration,
    /// Maximum number of ready and leased messages in a queue; `None` for no limit.
    pub max_queue_length: Option<u64>,
    /// Maximum number of dead letters that a queue keeps; `None` for no limit.
    pub dlq_max_length: Option<u64>,
    /// How long states and results are kept; zero means they never expire.
    pub result_ttl: Duration,
}

impl SqliteConfig {
    /// The defaults, with this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lease: Duration::from_secs(30),
            max_queue_length: None,
            dlq_max_length: Some(10_000),
            result_ttl: Duration::from_hours(1),
        }
    }
}

impl BrokerConfig {
    /// The broker at a URL, with default settings: `sqlite:PATH`, or a URL of Redis as described at
    /// [`RedisServer::url`].
    ///
    /// # Errors
    /// [`BrokerError::Invalid`] if it is neither. A server's URL is checked on connecting.
    pub fn of_url(url: &str) -> Result<Self, BrokerError> {
        let allowed =
            "give sqlite:PATH, redis://, rediss://, unix://, redis-sentinel:// or redis-cluster://";
        match url.strip_prefix("sqlite:") {
            Some("") => Err(BrokerError::Invalid(format!(
                "a path is missing; {allowed}"
            ))),
            Some(path) => Ok(Self::Sqlite(SqliteConfig::new(path))),
            // The text may contain a password, so it isn't shown.
            None if !url.contains("://") => {
                Err(BrokerError::Invalid(format!("not a URL; {allowed}")))
            }
            None => {
                let mut redis = RedisConfig::default();
                redis.server.url = Some(Secret(url.to_owned()));
                Ok(Self::Redis(redis, ResultsConfig::default()))
            }
        }
    }

    /// How long a lease lasts. After that, a delivery may be reclaimed.
    pub fn lease(&self) -> Duration {
        match self {
            Self::Redis(redis, _) => redis.claim_min_idle,
            Self::Sqlite(sqlite) => sqlite.lease,
        }
    }
}
