//! A master with two replicas and three Sentinels, for one test, on free ports of 127.0.0.1.
//!
//! Must not know brokers' insides.

use std::path::PathBuf;
use std::process::Command;

use chicory_queue::{BrokerConfig, RedisConfig, RedisServer as Address, ResultsConfig, Secret};
use redis::FromRedisValue;
use tempfile::TempDir;

use crate::{RedisServer, ServerProcess, until};

/// A new master sends its data as soon as a replica asks. By default it waits for 5 seconds whether others do.
const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];
/// The master's name.
const NAME: &str = "mymaster";

/// The servers and who watches over them.
#[derive(Debug)]
pub struct RedisSentinels {
    /// The servers; the first is the master at the start.
    pub servers: Vec<RedisServer>,
    sentinels: Vec<ServerProcess>,
    password: Option<String>,
    directory: TempDir,
}

impl RedisSentinels {
    /// Starts all of them; a master counts as failed after a second.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// The same with Sentinels that want this password.
    pub fn start_with(password: Option<&str>) -> Self {
        let master = RedisServer::start_with(&AT_ONCE);
        let port = master.port().to_string();
        let mut servers = vec![master];
        for _ in 0..2 {
            let arguments = [&AT_ONCE[..], &["--replicaof", "127.0.0.1", &port]].concat();
            servers.push(RedisServer::start_with(&arguments));
        }
        for replica in &servers[1..] {
            until("a replica in step", || {
                let info: String = replica.query(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            });
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        let own = password.map(str::to_owned);
        let sentinels = (0..3)
            .map(|place| {
                let file = directory.path().join(format!("sentinel-{place}.conf"));
                start(&file, servers[0].port(), password)
            })
            .collect();
        let all = Self {
            servers,
            sentinels,
            password: own,
            directory,
        };
        for place in 0..3 {
            until("a Sentinel that knows all", || {
                let fields: Vec<String> = all.ask(place, &["SENTINEL", "MASTER", NAME]);
                let of = |name: &str| {
                    let at = fields.iter().position(|field| field == name);
                    at.map(|at| fields[at + 1].clone())
                };
                of("num-slaves").as_deref() == Some("2")
                    && of("num-other-sentinels").as_deref() == Some("2")
            });
        }
        all
    }

    /// Asks a Sentinel.
    pub fn ask<T: FromRedisValue>(&self, place: usize, words: &[&str]) -> T {
        let port = self.sentinels[place].port();
        let url = match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{port}"),
            None => format!("redis://127.0.0.1:{port}"),
        };
        let mut connection = redis::Client::open(url)
            .and_then(|client| client.get_connection())
            .expect("a connection to the test's own Sentinel");
        redis::cmd(words[0])
            .arg(&words[1..])
            .query(&mut connection)
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Plans a failover: the Sentinels choose another master.
    pub fn fail_over(&self) {
        self.ask::<()>(0, &["SENTINEL", "FAILOVER", NAME]);
    }

    /// The port of the master that a Sentinel names.
    pub fn master(&self) -> u16 {
        let (_, port): (String, u16) = self.ask(0, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        port
    }

    /// The URL, without the Sentinels' password.
    pub fn url(&self) -> String {
        let hosts = self
            .sentinels
            .iter()
            .map(|one| format!("127.0.0.1:{}", one.port()));
        let hosts: Vec<String> = hosts.collect();
        format!("redis-sentinel://{}/{NAME}/0", hosts.join(","))
    }

    /// The broker's settings for it, all else by default.
    pub fn config(&self) -> BrokerConfig {
        let server = Address {
            url: Some(Secret(self.url())),
            sentinel_password: self.password.clone().map(Secret),
            ..Address::default()
        };
        let redis = RedisConfig {
            server,
            ..RedisConfig::default()
        };
        BrokerConfig::Redis(redis, ResultsConfig::default())
    }

    /// Where the Sentinels keep their files.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }
}

fn start(file: &std::path::Path, master: u16, password: Option<&str>) -> ServerProcess {
    let protection = password.map_or_else(String::new, |password| {
        format!("requirepass {password}\nsentinel sentinel-pass {password}\n")
    });
    let text = format!(
        "sentinel monitor {NAME} 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds {NAME} 1000\n\
         sentinel failover-timeout {NAME} 10000\n{protection}"
    );
    ServerProcess::start("+monitor master", |port| {
        // It rewrites its file, so each attempt needs a new one.
        std::fs::write(file, &text).expect("a configuration file");
        let mut command = Command::new(crate::redis_server::program());
        command
            .arg(file)
            .args(["--sentinel", "--bind", "127.0.0.1", "--port"])
            .arg(port.to_string());
        command
    })
}
