//! The benchmark's workers: processes of this very program.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chicory_queue::Results;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{BenchArgs, guests};

/// Where workers find their broker and their modules.
pub(super) struct Fleet {
    url: String,
    folder: TempDir,
}

/// How many workers, how large, and for which queues.
#[derive(Debug, Clone)]
pub(super) struct Crew {
    /// Worker processes.
    pub(super) processes: usize,
    /// Tasks at once in each.
    pub(super) concurrency: usize,
    /// Threads for sandboxes in each; the program's default where missing.
    pub(super) threads: Option<usize>,
    /// The queues that each serves.
    pub(super) queues: Vec<String>,
}

/// Workers that run; killed with this value unless stopped.
pub(super) struct Workers(Vec<Child>);

/// Longest wait for workers to be ready: a thousand modules may have to be compiled first.
const PATIENCE: Duration = Duration::from_mins(5);

impl Fleet {
    pub(super) fn new(args: &BenchArgs, url: String) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let fleet = Self { url, folder };
        for folder in [fleet.modules(), fleet.copies()] {
            std::fs::create_dir(folder)?;
        }
        guests::write(&fleet.modules(), args.module.as_deref())?;
        Ok(fleet)
    }

    fn modules(&self) -> std::path::PathBuf {
        self.folder.path().join("modules")
    }

    fn copies(&self) -> std::path::PathBuf {
        self.folder.path().join("copies")
    }

    /// Starts workers with the benchmark's modules.
    pub(super) fn start(&self, crew: &Crew) -> anyhow::Result<Workers> {
        self.start_with(crew, &self.modules())
    }

    /// Starts workers with so many copies of one module.
    pub(super) fn start_with_copies(&self, crew: &Crew, copies: usize) -> anyhow::Result<Workers> {
        std::fs::remove_dir_all(self.copies())?;
        std::fs::create_dir(self.copies())?;
        guests::write_copies(&self.copies(), copies)?;
        self.start_with(crew, &self.copies())
    }

    fn start_with(&self, crew: &Crew, modules: &Path) -> anyhow::Result<Workers> {
        // Filled one by one, so that those started are stopped where the next one can't be.
        let mut workers = Workers(Vec::new());
        for _ in 0..crew.processes {
            workers.0.push(self.spawn(crew, modules)?);
        }
        Ok(workers)
    }

    fn spawn(&self, crew: &Crew, modules: &Path) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("can't find this program's own file")?;
        let mut command = Command::new(program);
        command
            .args(["--broker", &self.url, "--log-level", "ERROR", "worker"])
            .args(["--concurrency", &crew.concurrency.to_string()])
            .arg("--modules")
            .arg(modules)
            .env("CHICORY_BACKEND_REDIS_RESULT_TTL", "600")
            .env(
                "CHICORY_WORKER_CACHE_DIR",
                self.folder.path().join("compiled"),
            )
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for queue in &crew.queues {
            command.args(["--queue", queue]);
        }
        if let Some(threads) = crew.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        command.spawn().context("can't start a worker")
    }
}

impl Workers {
    /// Their processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.0.iter().map(Child::id).collect()
    }

    /// Waits until all of them serve: each has signed on.
    pub(super) async fn ready(&mut self, results: &dyn Results) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let there = results.workers().await?;
            let mut pids = self.pids().into_iter();
            if pids.all(|pid| there.iter().any(|worker| worker.pid == pid)) {
                return Ok(());
            }
            self.check()?;
            ensure!(
                Instant::now() < deadline,
                "a worker of the benchmark does not serve after {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails where one of them has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for worker in &mut self.0 {
            if let Some(status) = worker.try_wait()? {
                anyhow::bail!("a worker of the benchmark ended by itself, {status}");
            }
        }
        Ok(())
    }

    /// Lets the workers drain and end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        for pid in self.pids() {
            kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        }
        tokio::task::spawn_blocking(move || {
            self.0
                .iter_mut()
                .try_for_each(|worker| worker.wait().map(drop))
        })
        .await??;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            // Both fail only where the process has ended already.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}
