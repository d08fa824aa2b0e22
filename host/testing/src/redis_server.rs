//! A real redis-server for one test: on a free port of 127.0.0.1, killed and waited for in `Drop`.
//!
//! Must not know brokers' insides; tests reach the server's keys through [`RedisServer::connection`].

use std::path::{Path, PathBuf};
use std::process::Command;

use chicory_queue::{BrokerConfig, Connected, RedisConfig, RedisServer as Address, ResultsConfig};
use nix::sys::signal::Signal;
use redis::FromRedisValue;
use tempfile::TempDir;

use crate::ServerProcess;

/// A running server. It keeps nothing on disk, so a restart finds it empty, unless it is durable.
#[derive(Debug)]
pub struct RedisServer {
    process: Option<ServerProcess>,
    directory: TempDir,
    port: u16,
    arguments: Vec<String>,
}

/// The variable that names another program than the machine's.
const PROGRAM: &str = "CHICORY_TEST_REDIS_SERVER";
const READY: &str = "Ready to accept connections";

impl RedisServer {
    /// Starts a server and waits until it accepts connections.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with further arguments for redis-server.
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let on = |port| command(port, directory.path(), &arguments);
        let process = ServerProcess::start(READY, on);
        Self {
            port: process.port(),
            process: Some(process),
            directory,
            arguments,
        }
    }

    /// Starts a server that has written each change to disk before it answers: a restart loses nothing.
    pub fn start_durable() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a sentinel that watches the master on `port` of 127.0.0.1 by the name `master`.
    pub fn start_sentinel(master: &str, port: u16) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("sentinel.conf");
        let line = format!("sentinel monitor {master} 127.0.0.1 {port} 1\n");
        let process = ServerProcess::start("+monitor master", |port| {
            // It rewrites its file, so each attempt needs a new one.
            std::fs::write(&file, &line).expect("a configuration file");
            let mut command = Command::new(program());
            command
                .arg(&file)
                .args(["--sentinel", "--bind", "127.0.0.1", "--port"])
                .arg(port.to_string());
            command
        });
        Self {
            port: process.port(),
            process: Some(process),
            directory,
            arguments: Vec::new(),
        }
    }

    /// Whether servers can be asked by TLS. The machine's can; a package's may be built without it.
    pub fn speaks_tls() -> bool {
        if std::env::var_os(PROGRAM).is_none() {
            return true;
        }
        // Without a certificate it ends at once, and says what is missing.
        let mut command = Command::new(program());
        command.args(["--port", "0", "--tls-port", "1", "--save", ""]);
        let said = command.output().expect("the server can be started").stdout;
        String::from_utf8_lossy(&said).contains("Failed to configure TLS")
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's Unix socket.
    pub fn socket(&self) -> PathBuf {
        socket(self.directory.path())
    }

    /// The address as the broker's settings have it.
    pub fn address(&self) -> Address {
        Address {
            host: "127.0.0.1".into(),
            port: self.port,
            ..Address::default()
        }
    }

    /// The broker's settings for this server, all else by default.
    pub fn redis_config(&self) -> RedisConfig {
        RedisConfig {
            server: self.address(),
            ..RedisConfig::default()
        }
    }

    /// The same as a whole configuration, with results on this server.
    pub fn config(&self) -> BrokerConfig {
        BrokerConfig::Redis(self.redis_config(), ResultsConfig::default())
    }

    /// Its address, as `--broker` and `Client::open` take it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A broker on this server.
    pub async fn connect(&self) -> Connected {
        crate::connect(&self.config())
            .await
            .expect("the server is there")
    }

    /// A plain connection, for what only tests do to a server.
    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection())
            .expect("a connection to the test's own server")
    }

    /// Runs a command, given word by word.
    pub fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query(&mut self.connection())
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Returns once a client is blocked, such as a fetch that waits.
    pub async fn blocks_a_client(&self) {
        let mut connection = self.connection();
        loop {
            let info: String = redis::cmd("INFO")
                .arg("clients")
                .query(&mut connection)
                .expect("info");
            if info.contains("blocked_clients:1") {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Freezes the server: its connections stay open, and nobody answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen server continue.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the server is running");
        crate::signal(process.pid(), signal).expect("the server is ours to signal");
    }

    /// Kills the server. Its data is gone, unless it is durable.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server again on the same port.
    pub fn start_again(&mut self) {
        self.stop();
        let command = command(self.port, self.directory.path(), &self.arguments);
        self.process = ServerProcess::start_on(self.port, READY, command);
        let port = self.port;
        assert!(
            self.process.is_some(),
            "another process has taken port {port}"
        );
    }
}

/// The program of all servers and Sentinels: that of the machine, unless the environment names another.
pub(crate) fn program() -> std::ffi::OsString {
    std::env::var_os(PROGRAM).unwrap_or_else(|| "redis-server".into())
}

fn command(port: u16, directory: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(program());
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        .arg("--dir")
        .arg(directory)
        .arg("--unixsocket")
        .arg(socket(directory))
        .args(arguments);
    command
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}
