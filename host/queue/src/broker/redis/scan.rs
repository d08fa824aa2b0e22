//! Finding keys by a pattern, on every node if there are several.
//!
//! Must not know what the keys are.

use redis::{RedisResult, cmd, from_redis_value};

use super::connection::{Connection, Way};
use super::request::Request;
use super::shared::Shared;
use crate::BrokerError;

/// Keys checked in one step of the server.
const STEP: usize = 2000;

impl Connection {
    /// All keys that match the pattern. A key may be returned twice.
    pub(super) async fn scan(&self, pattern: &str) -> Result<Vec<String>, BrokerError> {
        let found = match self.way() {
            Way::One(server) => scan_server(server, pattern).await,
            Way::Cluster(cluster) => {
                let scan = async {
                    let mut keys = Vec::new();
                    for node in cluster.masters().await? {
                        keys.extend(scan_server(&cluster.node(&node), pattern).await?);
                    }
                    Ok(keys)
                };
                scan.await
            }
        };
        found.map_err(|error| self.server().broker_error(&error))
    }
}

async fn scan_server(server: &Shared, pattern: &str) -> RedisResult<Vec<String>> {
    let mut keys = Vec::new();
    let mut cursor = 0u64;
    loop {
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(STEP);
        let answer = server.send(Request::One(&command)).await;
        let answer = answer.map_err(|failure| failure.error)?;
        let (next, page): (u64, Vec<String>) = from_redis_value(answer)?;
        keys.extend(page);
        if next == 0 {
            return Ok(keys);
        }
        cursor = next;
    }
}
