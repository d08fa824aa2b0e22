//! A connection to the configured broker, and its address as it may be shown.
//!
//! Must not know what the connection is for.

use chicory_signature::with_causes;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{
    BrokerConfig, BrokerError, Connected, RedisServer, SystemClock, connect, mask_url,
};

/// Connects, or says that the broker can't be reached.
pub(crate) async fn once(config: &BrokerConfig) -> Result<Connected, BrokerError> {
    connect(config, Arc::new(SystemClock)).await
}

/// Connects, and retries until the broker can be reached; logs that once a minute.
pub(crate) async fn patiently(config: &BrokerConfig) -> Result<Connected, BrokerError> {
    let mut pause = Duration::from_millis(100);
    let mut said = None;
    loop {
        match once(config).await {
            Err(error) if error.is_transient() => {
                if said.is_none_or(|at: Instant| at.elapsed() >= SAID_EVERY) {
                    said = Some(Instant::now());
                    tracing::warn!(error = %with_causes(&error), "can't reach the broker yet; retrying until it answers");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Ok(connected) => {
                if said.is_some() {
                    tracing::info!("connected to the broker");
                }
                return Ok(connected);
            }
            Err(error) => return Err(error),
        }
    }
}

/// How often a state that lasts is logged.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Short enough for a worker to start soon after its broker.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where the broker is, without secrets.
pub(crate) fn place(config: &BrokerConfig) -> String {
    match config {
        BrokerConfig::Redis(redis, _) => server_place(&redis.server),
        BrokerConfig::Sqlite(sqlite) => format!("sqlite:{}", sqlite.path.display()),
    }
}

/// Where results go, without secrets.
pub(crate) fn results_place(config: &BrokerConfig) -> String {
    match config {
        BrokerConfig::Redis(redis, results) => {
            server_place(results.server.as_ref().unwrap_or(&redis.server))
        }
        BrokerConfig::Sqlite(_) => place(config),
    }
}

fn server_place(server: &RedisServer) -> String {
    match &server.url {
        Some(url) => mask_url(&url.0).unwrap_or_else(|| "the configured URL".into()),
        None => format!("redis://{}:{}/{}", server.host, server.port, server.db),
    }
}
