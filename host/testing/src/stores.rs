//! An empty store of each kind, as the conformance suite opens them: with settings and a clock of its own.
//!
//! Must not know what is done with it.

use std::sync::Arc;

use chicory_queue::conformance::{Open, Settings};
use chicory_queue::{BrokerConfig, Clock, RedisConfig, ResultsConfig, SqliteConfig, connect};

use crate::{RedisServer, SqliteFile};

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
        let (server, prefix) = (self.redis_config(), prefix.to_owned());
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
