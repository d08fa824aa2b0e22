//! An empty store of each kind, as the conformance suite opens them: with settings and a clock of its own.
//!
//! Must not know what is done with it.

use std::sync::Arc;

use chicory_queue::conformance::{Open, Settings};
use chicory_queue::{BrokerConfig, Clock, RedisConfig, ResultsConfig, SqliteConfig, connect};

use crate::{RedisCluster, RedisServer, SqliteFile};

impl SqliteFile {
    /// Opens brokers on this file.
    pub fn store(&self) -> Open {
        let file = self.config();
        Arc::new(move |settings: Settings, clock: Arc<dyn Clock>| {
            let config = BrokerConfig::Sqlite(SqliteConfig {
                lease: settings.lease,
                max_queue_length: settings.max_length,
                dlq_max_length: settings.dlq_max_length,
                result_ttl: settings.result_ttl,
                ..file.clone()
            });
            Box::pin(async move { connect(&config, clock).await })
        })
    }
}

impl RedisServer {
    /// Opens brokers whose keys all start with `prefix`: a store of its own on this server.
    pub fn store(&self, prefix: &str) -> Open {
        on_redis(self.redis_config(), prefix)
    }
}

impl RedisCluster {
    /// Opens brokers whose keys all start with `prefix`: a store of its own on this Cluster.
    pub fn store(&self, prefix: &str) -> Open {
        match self.config() {
            BrokerConfig::Redis(redis, _) => on_redis(redis, prefix),
            BrokerConfig::Sqlite(_) => unreachable!("a Cluster is a Redis"),
        }
    }
}

fn on_redis(server: RedisConfig, prefix: &str) -> Open {
    let prefix = prefix.to_owned();
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
