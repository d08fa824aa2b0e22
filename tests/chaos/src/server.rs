//! A redis-server that is broken on purpose: killed, frozen, without disk or memory, with another clock.
//!
//! Must not know why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chicory_testing::{ServerProcess, until};
use nix::sys::signal::Signal;
use redis::FromRedisValue;
use tempfile::TempDir;

use crate::clock::FakeClock;

const READY: &str = "Ready to accept connections";
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that has each change on disk before it answers.
#[derive(Debug)]
pub struct Server {
    process: Option<ServerProcess>,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    clock: Option<FakeClock>,
}

impl Server {
    /// Starts one on a free port, with further arguments; `clock` where its clock is to be moved.
    pub fn start(arguments: &[&str], clock: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let clock = clock.then(|| FakeClock::new(&folder.path().join("clock")));
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let process = ServerProcess::start(READY, |port| {
            command(port, folder.path(), &arguments, clock.as_ref())
        });
        Self {
            port: process.port(),
            process: Some(process),
            folder,
            arguments,
            clock,
        }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command, given word by word.
    ///
    /// # Errors
    /// The client's, also if the server does not answer in time.
    pub fn query<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port))?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection)
    }

    /// Runs a command that must work: the server is whole.
    pub fn must(&self, words: &[&str]) {
        self.query::<redis::Value>(words)
            .unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }

    /// Whether it is a master now; false if it does not answer.
    pub fn is_master(&self) -> bool {
        self.query::<String>(&["INFO", "replication"])
            .is_ok_and(|info| info.contains("role:master"))
    }

    /// The number of replicas that are in step with it; 0 if it does not answer, or is no master.
    pub fn replicas(&self) -> usize {
        self.query::<String>(&["INFO", "replication"])
            .map_or(0, |info| info.matches("state=online").count())
    }

    /// Sends its process a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            chicory_testing::signal(process.pid(), signal).expect("the server is ours to signal");
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on its port, after killing what is left of it.
    pub fn start_again(&mut self) {
        self.kill();
        let command = command(
            self.port,
            self.folder.path(),
            &self.arguments,
            self.clock.as_ref(),
        );
        self.process = ServerProcess::start_on(self.port, READY, command);
        assert!(
            self.process.is_some(),
            "the server on port {} does not start again",
            self.port
        );
    }

    /// Moves its clock by seconds.
    pub fn move_clock(&self, seconds: i64) {
        if let Some(clock) = &self.clock {
            clock.set(seconds);
        }
    }

    /// Lets its files grow by no more than a few kilobytes: the system ends it when it writes beyond that.
    pub fn fill_disk(&self) {
        let process = self.process.as_ref().expect("it runs");
        let largest = largest_file(&self.folder.path().join("appendonlydir"));
        let status = Command::new("prlimit")
            .args(["--pid", &process.pid().to_string()])
            .arg(format!("--fsize={}", largest + 4096))
            .status();
        assert!(status.is_ok_and(|status| status.success()), "prlimit works");
    }

    /// Makes saving fail: a folder is where the file should be. It works for root too.
    pub fn fail_to_save(&self) {
        fs::create_dir_all(self.dump()).expect("a new folder");
        self.must(&["CONFIG", "SET", "save", "3600 1000000"]);
        self.must(&["BGSAVE", "SCHEDULE"]);
        until("a failed save", || {
            self.query::<String>(&["INFO", "persistence"])
                .is_ok_and(|info| info.contains("rdb_last_bgsave_status:err"))
        });
    }

    /// Lets it save again, and take writes.
    pub fn save_again(&self) {
        fs::remove_dir(self.dump()).expect("the folder is empty");
        self.must(&["CONFIG", "SET", "save", ""]);
    }

    fn dump(&self) -> PathBuf {
        self.folder.path().join("dump.rdb")
    }
}

fn command(port: u16, folder: &Path, arguments: &[String], clock: Option<&FakeClock>) -> Command {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--daemonize", "no", "--dir"])
        .arg(folder)
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .args(["--auto-aof-rewrite-percentage", "0"])
        .args(arguments);
    if let Some(clock) = clock {
        clock.wear(&mut command);
    }
    command
}

fn largest_file(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten();
    let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
    sizes.max().unwrap_or(0)
}
