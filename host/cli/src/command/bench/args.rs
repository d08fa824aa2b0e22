//! What `chicory bench` can be told, and which of it goes together.
//!
//! Must not know how anything is measured.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::exit::CommandError;

/// What to measure, and how often. Every task runs in a fresh sandbox, with its result stored, at
/// least once; without `--broker`, on a private redis-server for each run.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, value_delimiter = ',', default_values_t = [Measure::Enqueue, Measure::Drain, Measure::Latency])]
    pub(super) measures: Vec<Measure>,
    /// Tasks per run of enqueue and drain; other measures take as many, or a part of them where tasks are
    /// large or long.
    #[arg(long, default_value_t = 50_000)]
    pub(super) tasks: usize,
    /// Samples per run of latency, after 30 that do not count, and of delayed.
    #[arg(long, default_value_t = 300)]
    pub(super) samples: usize,
    /// Runs of each measure; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(super) runs: usize,
    /// Tasks that wait in delayed, and the longest queue in growth. A tenth of them is due at once.
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) backlog: usize,
    /// The most modules in growth.
    #[arg(long, default_value_t = 1000)]
    pub(super) modules: usize,
    /// Worker processes.
    #[arg(long, short = 'w', default_value_t = 1)]
    pub(super) workers: usize,
    /// Tasks at once in each worker process.
    #[arg(long, short = 'c', default_value_t = 1024)]
    pub(super) concurrency: usize,
    /// Threads for sandboxes in each worker process; the number of cores unless given.
    #[arg(long)]
    pub(super) threads: Option<usize>,
    /// A module whose task `add(u32, u32)` is measured, in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub(super) module: Option<PathBuf>,
    /// Keep the private redis-server's append-only file, synced every second.
    #[arg(long)]
    pub(super) aof: bool,
    /// Only send, and wait: workers with the benchmark's modules serve this queue already, or will. What
    /// is sent stays there. For enqueue and latency, with --broker.
    #[arg(long)]
    pub(super) queue: Option<String>,
    /// Write the ids of the tasks that enqueue sent in bulk to a file, one a line.
    #[arg(long, value_name = "FILE", requires = "queue", hide = true)]
    pub(super) ids: Option<PathBuf>,
    /// Write the benchmark's modules into a folder for workers elsewhere, and end.
    #[arg(long, value_name = "DIR")]
    pub(super) export: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  chicory bench
  chicory bench drain --workers 2 --runs 5 --json
  chicory bench delayed mixed isolation scaling growth idle
  chicory bench --broker sqlite:bench.db drain
Workers on another machine:
  chicory bench --export modules
  chicory worker --modules modules --queue bench --broker redis://server
  chicory bench latency --queue bench --broker redis://server";

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Measure {
    /// One producer sends all tasks in bulk, then some one by one; no worker running.
    Enqueue,
    /// Workers empty a full queue; what that costs in CPU, Redis commands and memory.
    Drain,
    /// One task at a time, from enqueue to the result at the waiting producer.
    Latency,
    /// How late tasks start with many more waiting; and how fast many that are due at once get ready.
    Delayed,
    /// Payloads of 100 B, 10 KB and 1 MB; 1 ms of CPU; 10 ms in a host call, 1000 tasks at once.
    Mixed,
    /// Tasks beside one that never ends, and how late that one is stopped.
    Isolation,
    /// A CPU-bound task on one or two threads, in one or two processes.
    Scaling,
    /// Throughput with longer queues, more modules, more queues.
    Growth,
    /// Memory, CPU and Redis commands of a worker with nothing to do.
    Idle,
}

impl BenchArgs {
    /// Whether these arguments go together.
    pub(super) fn check(&self, has_broker: bool) -> Result<(), CommandError> {
        let counts = [self.runs, self.tasks, self.samples, self.backlog];
        let sizes = [self.modules, self.workers, self.concurrency];
        let sends = |measure: &Measure| matches!(measure, Measure::Enqueue | Measure::Latency);
        let wrong = if counts.contains(&0) || sizes.contains(&0) {
            "--runs, --tasks, --samples, --backlog, --modules, --workers and --concurrency are at least 1"
        } else if self.queue.is_some() && !(has_broker && self.measures.iter().all(sends)) {
            "--queue is for enqueue and latency on workers that are there: give --broker, and only those measures"
        } else {
            return Ok(());
        };
        Err(CommandError::Usage(wrong.into()))
    }
}

#[cfg(test)]
mod tests {
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn allowed(line: &str, has_broker: bool) -> bool {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Bench(args) = cli.command else {
            panic!("{line} is no benchmark")
        };
        args.check(has_broker).is_ok()
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        assert!(allowed("chicory bench", false));
        assert!(!allowed("chicory bench --runs 0", false));
        assert!(!allowed("chicory bench -w 0", false));
        assert!(allowed("chicory bench enqueue,latency --queue q", true));
        assert!(!allowed("chicory bench enqueue --queue q", false));
        assert!(!allowed("chicory bench drain --queue q", true));
    }
}
