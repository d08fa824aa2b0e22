//! What a server says about itself, in one round trip.
//!
//! Must not judge it.

use std::collections::HashMap;

use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};

use super::RedisBroker;
use crate::{BrokerError, StoreFacts, Timestamp};

/// The facts of the server, or of each master of a Cluster.
pub(super) async fn facts(broker: &RedisBroker) -> Result<Vec<StoreFacts>, BrokerError> {
    let (info, time, mut save) = (cmd("INFO"), cmd("TIME"), cmd("CONFIG"));
    save.arg("GET").arg("save");
    let asked = Timestamp::now();
    let (info, time, save) = futures::join!(
        broker.connection.ask::<Value>(&info),
        may(broker, &time),
        may::<HashMap<String, String>>(broker, &save),
    );
    let answered = Timestamp::now();
    let texts: Vec<(String, String)> = match info? {
        nodes @ Value::Map(_) => from_redis_value::<HashMap<_, _>>(nodes)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        text => vec![(String::new(), from_redis_value(text).unwrap_or_default())],
    };
    let clock_ahead_ms = time.map(|(seconds, micros): (i64, i64)| {
        let half = answered.since(asked) / 2;
        let server = Timestamp::from_micros(seconds * 1_000_000 + micros);
        (server.as_micros() - asked.after(half).as_micros()) / 1000
    });
    let snapshots = save.and_then(|found| found.get("save").map(|rules| !rules.is_empty()));
    let facts = texts.into_iter().map(|(node, text)| StoreFacts {
        node,
        snapshots,
        clock_ahead_ms,
        ..read(&text)
    });
    Ok(facts.collect())
}

/// The answer to a command that the user may not be allowed to run.
async fn may<T: FromRedisValue>(broker: &RedisBroker, command: &Cmd) -> Option<T> {
    broker.connection.query(command).await.ok()
}

/// Reads the answer to INFO.
fn read(text: &str) -> StoreFacts {
    let fields: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let word = |name: &str| fields.get(name).map(|word| word.trim());
    let number = |name: &str| word(name)?.parse::<u64>().ok();
    let redis = word("redis_version");
    let product = match (word("valkey_version"), redis) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "an unknown server".to_owned(),
    };
    let version = redis.and_then(|version| {
        let mut parts = version.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    let failed = |name: &str, what: &str| {
        word(name)
            .filter(|status| *status != "ok")
            .map(|status| format!("{what}: {status}"))
    };
    StoreFacts {
        product,
        version,
        eviction: word("maxmemory_policy").map(str::to_owned),
        memory_used: number("used_memory"),
        memory_limit: number("maxmemory").filter(|most| *most > 0),
        memory_of_machine: number("total_system_memory").filter(|most| *most > 0),
        appends: word("aof_enabled").map(|enabled| enabled == "1"),
        write_failed: failed("rdb_last_bgsave_status", "the last snapshot").or_else(|| {
            failed(
                "aof_last_write_status",
                "the last write of its append-only file",
            )
        }),
        is_replica: word("role").map(|role| role == "slave"),
        replicas: number("connected_slaves"),
        ..StoreFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read() {
        let text = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.0\r\n# Memory\r\nused_memory:1000\r\n\
                    maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\nrdb_last_bgsave_status:err\r\n\
                    role:slave\r\nconnected_slaves:2\r\n";
        let expected = StoreFacts {
            product: "Valkey 8.1.0".into(),
            version: Some((7, 2)),
            eviction: Some("allkeys-lru".into()),
            memory_used: Some(1000),
            appends: Some(false),
            write_failed: Some("the last snapshot: err".into()),
            is_replica: Some(true),
            replicas: Some(2),
            ..StoreFacts::default()
        };
        assert_eq!(read(text), expected);
        assert_eq!(read("").product, "an unknown server");
    }
}
