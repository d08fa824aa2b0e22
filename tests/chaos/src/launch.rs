//! How the program is started: its folder, its modules, its environment.
//!
//! Must not know what it is started for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chicory_testing::guest;
use tempfile::TempDir;

use crate::clock::FakeClock;
use crate::run::Terms;
use crate::task::QUEUES;

/// How many tasks a worker runs at once.
pub const CONCURRENCY: usize = 32;
/// How long a worker may drain, in seconds.
pub const DRAIN_SECONDS: u64 = 10;

/// The program, with everything that it needs.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    folder: TempDir,
    broker: String,
    logs: Option<PathBuf>,
    lease_ms: u64,
    wait_replicas: u32,
    /// One clock for each worker, if clocks are to be moved.
    clocks: Vec<FakeClock>,
}

impl Launch {
    /// The program in a folder of its own, whose tasks may call `authority`. `clocks` of its workers can be moved.
    pub fn new(terms: &Terms, broker: String, authority: &str, clocks: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let modules = folder.path().join("modules");
        fs::create_dir(&modules).expect("a new folder");
        let manifest = format!("[grants]\nhttp = [\"{authority}\"]\n[limits]\ntimeout = 120.0\n");
        for (module, first) in [
            ("effect", ""),
            ("once", "delivery_mode = \"at_most_once\"\n"),
        ] {
            let wasm = modules.join(format!("{module}.wasm"));
            fs::copy(guest("wants-http"), &wasm).expect("a guest can be copied");
            let manifest = format!("{first}{manifest}");
            fs::write(wasm.with_extension("toml"), manifest).expect("the folder can be written to");
        }
        let clock = |seat| FakeClock::new(&folder.path().join(format!("clock-{seat}")));
        Self {
            clocks: (0..clocks).map(clock).collect(),
            program: terms.program.clone(),
            folder,
            broker,
            logs: terms.logs.clone(),
            lease_ms: terms.lease_ms,
            wait_replicas: terms.wait_replicas,
        }
    }

    /// Where a worker's log is kept, if it is.
    pub fn log(&self, seat: usize, generation: usize) -> Option<PathBuf> {
        let folder = self.logs.as_ref()?;
        Some(folder.join(format!("worker-{}-{generation}.jsonl", seat + 1)))
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The worker of this number.
    pub fn worker(&self, seat: usize) -> Command {
        let mut command = self.command();
        command
            .args([
                "worker",
                "--json",
                "--concurrency",
                &CONCURRENCY.to_string(),
            ])
            .args(["--shutdown-timeout", &DRAIN_SECONDS.to_string()])
            // Who is killed often is no reason to give up on a task, and its consumer is removed soon.
            .args(["--max-deliveries", "1000", "--heartbeat-interval", "1"])
            .args(["--heartbeat-ttl", "5", "--cleanup-interval", "2"])
            .args(["--stale-workers-timeout", "5"])
            .args(QUEUES.iter().flat_map(|queue| ["--queue", queue]));
        if self.logs.is_some() {
            command.args(["--log-level", "DEBUG"]);
        }
        if let Some(clock) = self.clocks.get(seat) {
            clock.wear(&mut command);
        }
        command
    }

    /// Moves the clock of a worker by seconds.
    pub fn move_clock(&self, seat: usize, seconds: i64) {
        if let Some(clock) = self.clocks.get(seat) {
            clock.set(seconds);
        }
    }

    /// The program that enqueues a file's messages.
    pub fn enqueue(&self, file: &Path, queue: &str) -> Command {
        let mut command = self.command();
        command
            .args(["enqueue", "--json", "--queue", queue, "--file"])
            .arg(file);
        command
    }

    fn command(&self) -> Command {
        let lease = self.lease_ms.to_string();
        let replicas = self.wait_replicas.to_string();
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CHICORY_BROKER", &self.broker)
            .env("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", &lease)
            .env("CHICORY_BROKER_SQLITE_CLAIM_MIN_IDLE_MS", &lease)
            .env("CHICORY_BROKER_REDIS_WAIT_REPLICAS", &replicas)
            // The server that counts is on a loopback address.
            .env("CHICORY_POLICY_HTTP", "private")
            // A moved clock lets nothing expire.
            .env("CHICORY_BACKEND_REDIS_RESULT_TTL", "86400")
            .env("CHICORY_BROKER_SQLITE_RESULT_TTL", "86400");
        command
    }
}
