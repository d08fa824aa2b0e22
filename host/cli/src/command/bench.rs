//! `chicory bench`: measures this build on this machine: enqueue, drain, latency.
//!
//! Drives the real program: workers are processes of this executable, and by default a redis-server
//! of the benchmark's own. Must not know how a worker does its work.

mod drain;
mod enqueue;
mod fleet;
mod latency;
mod machine;
mod report;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use chicory_queue::{BrokerConfig, Connected, SystemClock, TaskMessage, connect};
use clap::{Args, ValueEnum};

use super::Context;
use fleet::Fleet;
use report::Report;
use server::Server;

/// What to measure, and how often. Every task runs in a fresh sandbox, with its result stored, at
/// least once; without `--broker`, on a private redis-server for each run.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, value_delimiter = ',', default_values_t = [Measure::Enqueue, Measure::Drain, Measure::Latency])]
    measures: Vec<Measure>,
    /// Tasks per run of enqueue and drain.
    #[arg(long, default_value_t = 50_000)]
    tasks: usize,
    /// Samples per run of latency, after 30 that do not count.
    #[arg(long, default_value_t = 300)]
    samples: usize,
    /// Runs of each measure; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Worker processes.
    #[arg(long, short = 'w', default_value_t = 1)]
    workers: usize,
    /// Tasks at once in each worker process.
    #[arg(long, short = 'c', default_value_t = 512)]
    concurrency: usize,
    /// Threads for sandboxes in each worker process; the number of cores unless given.
    #[arg(long)]
    threads: Option<usize>,
    /// A module whose task `add(u32, u32)` is measured, in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Keep the private redis-server's append-only file, synced every second.
    #[arg(long)]
    aof: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// One producer sends all tasks, no worker running.
    Enqueue,
    /// Workers empty a full queue.
    Drain,
    /// One task at a time, from enqueue to the result at the waiting producer.
    Latency,
}

/// One run's surroundings: a broker, a queue, and the means to start workers on it.
struct Bench {
    args: BenchArgs,
    connected: Connected,
    fleet: Fleet,
    queue: String,
}

/// The module's name on the benchmark's workers.
const MODULE: &str = "bench";

/// Runs the benchmark and prints its report.
pub(crate) async fn run(
    args: BenchArgs,
    context: &Context,
    broker: Option<String>,
) -> anyhow::Result<()> {
    let broker = broker.map(|url| (url, context.config.broker.clone()));
    anyhow::ensure!(
        args.runs > 0 && args.tasks > 0 && args.samples > 0,
        "--runs, --tasks and --samples are at least 1"
    );
    let mut report = Report::new(&args);
    for measure in args.measures.clone() {
        for _ in 0..args.runs {
            let server = match &broker {
                Some(_) => None,
                None => Some(Server::start(args.aof).await?),
            };
            let (url, config) = match (&broker, &server) {
                (Some((url, config)), _) => (url.clone(), config.clone()),
                (None, Some(server)) => (server.url(), server.config()),
                (None, None) => unreachable!("one of them was just made"),
            };
            let bench = Bench::new(&args, url, &config).await?;
            let outcome = bench.measure(measure, &mut report).await;
            bench.clear(broker.is_some()).await?;
            outcome?;
        }
    }
    report.print(context.output)
}

impl Bench {
    async fn new(args: &BenchArgs, url: String, config: &BrokerConfig) -> anyhow::Result<Self> {
        let connected = connect(config, Arc::new(SystemClock)).await?;
        let queue = format!("bench-{}", uuid::Uuid::new_v4().simple());
        let fleet =
            Fleet::new(args, url, &queue).context("can't set up the benchmark's workers")?;
        Ok(Self {
            args: args.clone(),
            connected,
            fleet,
            queue,
        })
    }

    async fn measure(&self, measure: Measure, report: &mut Report) -> anyhow::Result<()> {
        match measure {
            Measure::Enqueue => report.add("enqueue", "tasks/s", enqueue::rate(self).await?),
            Measure::Drain => report.add("drain", "tasks/s", drain::rate(self).await?),
            Measure::Latency => {
                let times = latency::times(self).await?;
                report.add("latency_p50", "ms", times.at(0.5));
                report.add("latency_p99", "ms", times.at(0.99));
            }
        }
        Ok(())
    }

    /// A broker that is the user's is left as it was, but for results that expire in time.
    async fn clear(&self, users_own: bool) -> anyhow::Result<()> {
        if users_own {
            self.connected.inspect.purge(&self.queue).await?;
            self.connected
                .inspect
                .purge_dead_letters(&self.queue)
                .await?;
        }
        Ok(())
    }

    fn message(number: usize) -> TaskMessage {
        let mut message = TaskMessage::new(format!("{MODULE}.add"));
        message.args = vec![number.into(), 1.into()];
        message
    }
}
