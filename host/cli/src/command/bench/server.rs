//! The benchmark's private redis-server, on a free port of 127.0.0.1, which ends with its value.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use chicory_queue::{BrokerConfig, RedisConfig, RedisServer, ResultsConfig};
use tempfile::TempDir;

/// A running server.
pub(super) struct Server {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(super) async fn start(aof: bool) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--appendonly", if aof { "yes" } else { "no" }, "--appendfsync", "everysec"])
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("can't start redis-server; install it, or give the benchmark a broker with --broker")?;
        let server = Self {
            child,
            port,
            _directory: directory,
        };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("the benchmark's redis-server does not answer on port {port}")
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(super) fn config(&self) -> BrokerConfig {
        let server = RedisServer {
            host: "127.0.0.1".into(),
            port: self.port,
            ..RedisServer::default()
        };
        BrokerConfig::Redis(
            RedisConfig {
                server,
                ..RedisConfig::default()
            },
            ResultsConfig::default(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the server has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
