//! A Redis server's own figures (commands and CPU time), and the bare round trip.
//!
//! Must not know queues. Other brokers have no probe.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;

/// The benchmark's own connection to the broker's server.
pub(super) struct Probe(MultiplexedConnection);

/// The server's work since its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// Commands, including those inside scripts, without the probe's own.
    pub(super) commands: u64,
    /// CPU time, user and system.
    pub(super) cpu: Duration,
}

impl Probe {
    /// A probe of the server at this address; none if it is not a single Redis server.
    pub(super) async fn open(url: &str) -> anyhow::Result<Option<Self>> {
        let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
        if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            return Ok(None);
        }
        let client = redis::Client::open(url)?;
        let connection = client.get_multiplexed_async_connection().await?;
        Ok(Some(Self(connection)))
    }

    /// What the server has done so far.
    pub(super) async fn work(&self) -> anyhow::Result<Work> {
        let commands = commands(&self.info("commandstats").await?);
        let cpu =
            cpu(&self.info("cpu").await?).context("redis-server does not report its CPU time")?;
        Ok(Work { commands, cpu })
    }

    /// One round trip that does nothing.
    pub(super) async fn round_trip(&self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        redis::cmd("PING")
            .query_async::<()>(&mut self.0.clone())
            .await?;
        Ok(begun.elapsed())
    }

    async fn info(&self, section: &str) -> anyhow::Result<String> {
        let mut command = redis::cmd("INFO");
        command.arg(section);
        Ok(command.query_async(&mut self.0.clone()).await?)
    }
}

/// Calls of all commands but the probe's own, from lines such as `cmdstat_xadd:calls=3,usec=9,…`.
fn commands(info: &str) -> u64 {
    let lines = info
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"));
    let others = lines.filter(|line| !line.starts_with("info:") && !line.starts_with("ping:"));
    others
        .filter_map(|line| {
            let (_, calls) = line.split_once("calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        })
        .sum()
}

/// CPU time of all threads, but not of child processes that save.
fn cpu(info: &str) -> Option<Duration> {
    let seconds = |field: &str| -> Option<f64> {
        let value = info.lines().find_map(|line| line.strip_prefix(field))?;
        value.trim().parse().ok()
    };
    let total = seconds("used_cpu_sys:")? + seconds("used_cpu_user:")?;
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_read() {
        let stats = "# Commandstats\r\ncmdstat_xadd:calls=40,usec=9,usec_per_call=1.0\r\n\
                     cmdstat_info:calls=7,usec=1\r\ncmdstat_client|setname:calls=2,usec=1\r\n";
        assert_eq!(commands(stats), 42);
        let times =
            "# CPU\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.25\r\nused_cpu_sys_children:9\r\n";
        assert_eq!(cpu(times), Some(Duration::from_millis(3750)));
        assert_eq!(cpu("# CPU\r\n"), None);
    }
}
