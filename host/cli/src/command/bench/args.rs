//! What `chicory bench` can be told, and which of it goes together.
//!
//! Must not know how anything is measured.

use std::path::PathBuf;

use chicory_signature::{Bounded, Unit};
use clap::{Args, ValueEnum};

use crate::config::parse;
use crate::exit::CommandError;

/// What each number may be.
const SOME: Bounded = Bounded::new("number", 0.0, 1e8, Unit::Count);

/// What to measure, and how often. Every task runs at least once, in a fresh sandbox, and its result is
/// stored. Without `--broker`, each run has a private redis-server.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, value_delimiter = ',', default_values_t = [Measure::Enqueue, Measure::Drain, Measure::Latency])]
    pub(super) measures: Vec<Measure>,
    /// Number of tasks per run of enqueue and drain; other measures use as many, or fewer where tasks
    /// are large or long.
    #[arg(long, default_value_t = 50_000, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) tasks: usize,
    /// Number of samples per run of latency (after 30 uncounted ones) and of delayed.
    #[arg(long, default_value_t = 300, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) samples: usize,
    /// Number of runs of each measure; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) runs: usize,
    /// Number of waiting tasks in delayed, a tenth of which are due at once, and length of the longest
    /// queue in growth.
    #[arg(long, default_value_t = 1_000_000, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) backlog: usize,
    /// Largest number of modules in growth.
    #[arg(long, default_value_t = 1000, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) modules: usize,
    /// Number of worker processes.
    #[arg(long, short = 'w', default_value_t = 1, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) workers: usize,
    /// Maximum number of tasks that each process runs at once.
    #[arg(long, short = 'c', default_value_t = 1024, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) concurrency: usize,
    /// Number of tasks that may compute at a time in each process [default: the number of cores].
    #[arg(long, value_parser = parse::whole_number::<usize>(SOME))]
    pub(super) threads: Option<usize>,
    /// Module whose task `add(u32, u32)` is measured, instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub(super) module: Option<PathBuf>,
    /// Give the private redis-server an append-only file that is synced every second.
    #[arg(long)]
    pub(super) aof: bool,
    /// Only enqueue to this queue and wait: workers started elsewhere serve it, with the benchmark's
    /// modules. Messages are not removed at the end. For enqueue and latency, with --broker.
    #[arg(long)]
    pub(super) queue: Option<String>,
    /// Write the ids of the tasks that were enqueued in bulk to a file, one per line.
    #[arg(long, value_name = "FILE", requires = "queue", hide = true)]
    pub(super) ids: Option<PathBuf>,
    /// Write the benchmark's modules to a folder, for workers elsewhere, and exit.
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
    /// One producer enqueues all tasks in bulk, then some one by one; no worker runs.
    Enqueue,
    /// Workers empty a full queue; with the cost in CPU time, Redis commands and memory.
    Drain,
    /// One task at a time, from enqueueing to the result at the waiting producer.
    Latency,
    /// How late tasks start while many others wait, and how fast many due at once become ready.
    Delayed,
    /// Payloads of 100 B, 10 KB and 1 MB; 1 ms of CPU time; 10 ms in a host call, 1000 at once.
    Mixed,
    /// Tasks next to one that never ends, and how late that one is stopped.
    Isolation,
    /// A CPU-bound task on one or two threads, in one or two processes.
    Scaling,
    /// Throughput with longer queues, more modules and more queues.
    Growth,
    /// Memory, CPU time and Redis commands of an idle worker.
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
