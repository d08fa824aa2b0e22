//! An empty store of each kind for a test: a file in a folder of its own, a server of its own.
//!
//! Must not know what is done with it.

use std::sync::Arc;

use chicory_queue::conformance::{Open, Settings};
use chicory_queue::{BrokerConfig, Clock, RedisConfig, ResultsConfig, SqliteConfig, connect};
use tempfile::TempDir;

#[path = "../redis_server/mod.rs"]
mod redis_server;
use redis_server::RedisServer;

/// A broker's file, deleted with this value.
#[derive(Debug)]
pub(crate) struct SqliteStore(TempDir);

impl SqliteStore {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn open(&self) -> Open {
        let path = self.0.path().join("queue.db");
        Arc::new(move |settings: Settings, clock: Arc<dyn Clock>| {
            let config = BrokerConfig::Sqlite(SqliteConfig {
                lease: settings.lease,
                max_queue_length: settings.max_length,
                dlq_max_length: settings.dlq_max_length,
                result_ttl: settings.result_ttl,
                ..SqliteConfig::new(&path)
            });
            Box::pin(async move { connect(&config, clock).await })
        })
    }
}

/// A server, killed with this value.
#[derive(Debug)]
pub(crate) struct RedisStore(RedisServer);

impl RedisStore {
    pub(crate) fn new() -> Self {
        Self(RedisServer::start())
    }

    /// A store of its own on the same server: all keys start with this.
    pub(crate) fn open(&self, prefix: &str) -> Open {
        let (server, prefix) = (self.0.redis_config(), prefix.to_owned());
        Arc::new(move |settings: Settings, clock: Arc<dyn Clock>| {
            let redis = RedisConfig {
                claim_min_idle: settings.lease,
                max_stream_length: settings.max_length,
                dlq_max_length: settings.dlq_max_length,
                key_prefix: prefix.clone(),
                ..server.clone()
            };
            let results = ResultsConfig {
                ttl: settings.result_ttl,
                key_prefix: prefix.clone(),
                ..ResultsConfig::default()
            };
            let config = BrokerConfig::Redis(redis, results);
            Box::pin(async move { connect(&config, clock).await })
        })
    }
}
