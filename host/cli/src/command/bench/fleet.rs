//! The benchmark's workers: processes of this program.

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

/// The number of workers, their size, and their queues.
#[derive(Debug, Clone)]
pub(super) struct Crew {
    /// Worker processes.
    pub(super) processes: usize,
    /// Tasks that each runs at once.
    pub(super) concurrency: usize,
    /// Sandbox threads in each; the program's default if missing.
    pub(super) threads: Option<usize>,
    /// The queues that each serves.
    pub(super) queues: Vec<String>,
}

/// Running workers; killed when this value is dropped, unless stopped.
pub(super) struct Workers(Vec<Child>);

/// The longest wait until workers are ready: a thousand modules may have to be compiled first.
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

    /// Starts workers with this number of copies of one module.
    pub(super) fn start_with_copies(&self, crew: &Crew, copies: usize) -> anyhow::Result<Workers> {
        std::fs::remove_dir_all(self.copies())?;
        std::fs::create_dir(self.copies())?;
        guests::write_copies(&self.copies(), copies)?;
        self.start_with(crew, &self.copies())
    }

    fn start_with(&self, crew: &Crew, modules: &Path) -> anyhow::Result<Workers> {
        // Filled one by one, so that started workers are stopped if the next one can't be started.
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

    /// Waits until all of them serve, as their heartbeats show.
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
                "a worker of the benchmark was not ready after {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails if one of them has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for worker in &mut self.0 {
            if let Some(status) = worker.try_wait()? {
                anyhow::bail!("a worker of the benchmark ended unexpectedly, {status}");
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
            // Both fail only if the process has already ended.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}
