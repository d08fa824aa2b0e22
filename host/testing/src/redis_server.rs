//! A real redis-server for one test: on a free port of 127.0.0.1, killed and waited for in `Drop`.
//!
//! Must not know brokers' insides; tests reach the server's keys through [`RedisServer::connection`].

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use chicory_queue::{BrokerConfig, Connected, RedisConfig, RedisServer as Address, ResultsConfig};
use redis::FromRedisValue;
use tempfile::TempDir;

/// A running server. It keeps nothing on disk, so a restart finds it empty, unless it is durable.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    directory: TempDir,
    port: u16,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts a server and waits until it accepts connections.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with further arguments for redis-server.
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self {
            child: None,
            directory,
            port: 0,
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        // Another process may take the port before the server binds it: then try another.
        for _ in 0..20 {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server does not start; is it installed?");
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
        std::fs::write(&file, line).expect("a configuration file");
        let mut sentinel = Self {
            child: None,
            directory,
            port: 0,
            arguments: Vec::new(),
        };
        for _ in 0..20 {
            sentinel.port = free_port();
            let mut command = Command::new("redis-server");
            command
                .arg(&file)
                .args(["--sentinel", "--bind", "127.0.0.1", "--port"])
                .arg(sentinel.port.to_string());
            if sentinel.run(&mut command, "+monitor master") {
                return sentinel;
            }
        }
        panic!("no sentinel starts");
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
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

    /// Kills the server. Its data is gone, unless it is durable.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server is ours to kill");
            child.wait().expect("the server ends");
        }
    }

    /// Starts the server again on the same port.
    pub fn start_again(&mut self) {
        self.stop();
        assert!(
            self.try_start(),
            "port {} has been taken by another process",
            self.port
        );
    }

    fn try_start(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.directory.path())
            .arg("--unixsocket")
            .arg(self.socket())
            .args(&self.arguments);
        self.run(&mut command, "Ready to accept connections")
    }

    /// Starts the command and waits for the line that says it is ready; false if it ends before that.
    fn run(&mut self, command: &mut Command, ready: &str) -> bool {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed and can be started");
        let output = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let is_ready = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains(ready));
        if is_ready {
            // Keep reading, or the server would block once the pipe is full. Ends with the server.
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
            self.child = Some(child);
        } else {
            child.wait().expect("the server ends");
        }
        is_ready
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
