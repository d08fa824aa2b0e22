//! Removes every key with the demo's own prefix, so that nothing stays on the user's server.
//!
//! An operator's purge keeps a queue's stream and group for running workers; the demo has none left. Must not know which
//! keys there are.

use chicory_queue::{RedisConfig, RedisServer};
use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisResult};

/// Keys looked at in one round trip.
const PAGE: usize = 1_000;

/// Removes the keys. On Sentinels and clusters, a few empty ones stay.
pub(super) async fn sweep(config: &RedisConfig) -> RedisResult<()> {
    let Some(client) = client(&config.server)? else {
        return Ok(());
    };
    let mut connection = client.get_multiplexed_async_connection().await?;
    let pattern = format!("{}:*", config.key_prefix);
    let mut cursor = 0;
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(PAGE)
            .query_async(&mut connection)
            .await?;
        if !keys.is_empty() {
            redis::cmd("UNLINK")
                .arg(keys)
                .exec_async(&mut connection)
                .await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

/// A client of a single server; none for Sentinel or a cluster.
fn client(server: &RedisServer) -> RedisResult<Option<Client>> {
    if let Some(url) = &server.url {
        let scheme = url.0.split("://").next().unwrap_or_default();
        let several = scheme.ends_with("-sentinel") || scheme.ends_with("-cluster");
        return if several {
            Ok(None)
        } else {
            Client::open(url.0.as_str()).map(Some)
        };
    }
    let mut redis = RedisConnectionInfo::default().set_db(server.db);
    if let Some(username) = &server.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &server.password {
        redis = redis.set_password(&password.0);
    }
    let address = ConnectionAddr::Tcp(server.host.clone(), server.port).into_connection_info()?;
    Client::open(address.set_redis_settings(redis)).map(Some)
}
