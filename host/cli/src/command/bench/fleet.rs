//! The benchmark's workers: processes of this very program.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{BenchArgs, MODULE};

/// A component with a memory, a table and data of a small Rust module's size.
const BUILT_IN: &str = include_str!("add.wat");

/// How to start workers for one queue.
pub(super) struct Fleet {
    args: BenchArgs,
    url: String,
    queue: String,
    modules: TempDir,
}

/// Workers that run; killed with this value unless stopped.
pub(super) struct Workers(Child);

impl Fleet {
    pub(super) fn new(args: &BenchArgs, url: String, queue: &str) -> anyhow::Result<Self> {
        let modules = tempfile::tempdir()?;
        let target = modules.path().join(format!("{MODULE}.wasm"));
        match &args.module {
            Some(file) => copy(file, &target)?,
            None => std::fs::write(&target, wat::parse_str(BUILT_IN)?)?,
        }
        Ok(Self {
            args: args.clone(),
            url,
            queue: queue.into(),
            modules,
        })
    }

    pub(super) fn start(&self) -> anyhow::Result<Workers> {
        let program = std::env::current_exe().context("can't find this program's own file")?;
        let mut command = Command::new(program);
        command
            .args(["--broker", &self.url, "--log-level", "ERROR", "worker"])
            .args(["--queue", &self.queue])
            .args(["--workers", &self.args.workers.to_string()])
            .args(["--concurrency", &self.args.concurrency.to_string()])
            .arg("--modules")
            .arg(self.modules.path())
            .env("CHICORY_BACKEND_REDIS_RESULT_TTL", "60")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(threads) = self.args.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        Ok(Workers(command.spawn().context("can't start a worker")?))
    }
}

fn copy(file: &Path, target: &Path) -> anyhow::Result<()> {
    std::fs::copy(file, target)
        .with_context(|| format!("can't read the module {}", file.display()))?;
    Ok(())
}

impl Workers {
    /// Lets the workers drain and end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGTERM)?;
        tokio::task::spawn_blocking(move || self.0.wait()).await??;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
