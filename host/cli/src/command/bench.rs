//! `chicory bench`: measures this build on this machine.
//!
//! Drives the real program: workers are processes of this executable, by default with a private redis-server. One file
//! per measure. Must not know how a worker works.

mod args;
mod delayed;
mod drain;
mod enqueue;
mod fleet;
mod growth;
mod guests;
mod idle;
mod isolation;
mod latency;
mod machine;
mod mixed;
mod probe;
mod process;
mod report;
mod scaling;
mod server;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use chicory_queue::{BrokerConfig, Connected, SystemClock, connect};

use super::Context;
use super::worker::signals::StopSignals;
pub(crate) use args::BenchArgs;
use args::Measure;
use fleet::{Crew, Fleet};
use probe::Probe;
use report::Report;
use server::Server;

/// One run's setting: a broker, the name of a queue, and what it takes to start workers.
struct Bench {
    args: BenchArgs,
    connected: Connected,
    fleet: Fleet,
    /// The queue; the names of further ones start with its name.
    queue: String,
    probe: Option<Probe>,
    /// The private server, if the broker is the benchmark's own.
    server: Option<Server>,
}

/// A broker and how to reach it.
struct Place {
    url: String,
    config: BrokerConfig,
}

/// Runs the benchmark and prints its report.
pub(crate) async fn run(
    args: BenchArgs,
    context: &Context,
    broker: Option<String>,
) -> anyhow::Result<()> {
    if let Some(folder) = &args.export {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("can't make the folder {}", folder.display()))?;
        return guests::write(folder, args.module.as_deref());
    }
    args.check(broker.is_some())?;
    let config = context.config.broker.clone();
    let given = broker.map(|url| Place { url, config });
    let mut report = Report::new(&args);
    let mut signals = StopSignals::listen()?;
    // Processes end with the future that started them.
    tokio::select! {
        measured = all(&args, given.as_ref(), &mut report) => measured?,
        () = signals.next() => bail!("stopped by a signal before everything was measured{}", left_over(given.as_ref())),
    }
    report.print(context.output)
}

/// What a stopped benchmark leaves behind.
fn left_over(given: Option<&Place>) -> &'static str {
    match given {
        Some(_) => {
            "; its queues may still be on the broker: `chicory queue list` lists them, and `chicory queue purge NAME` empties one"
        }
        None => "",
    }
}

async fn all(args: &BenchArgs, given: Option<&Place>, report: &mut Report) -> anyhow::Result<()> {
    for measure in args.measures.clone() {
        for number in 1..=args.runs {
            tracing::info!("{measure:?}, run {number} of {}", args.runs);
            once(args, given, measure, report)
                .await
                .with_context(|| format!("{measure:?}, run {number}"))?;
        }
    }
    Ok(())
}

async fn once(
    args: &BenchArgs,
    given: Option<&Place>,
    measure: Measure,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Some(place) = given else {
        let mut bench = Bench::on_its_own(args).await?;
        return bench.measure(measure, report).await;
    };
    let mut bench = Bench::new(args, place).await?;
    let outcome = bench.measure(measure, report).await;
    bench.clear().await?;
    outcome
}

impl Bench {
    async fn new(args: &BenchArgs, place: &Place) -> anyhow::Result<Self> {
        let fleet =
            Fleet::new(args, place.url.clone()).context("can't set up the benchmark's workers")?;
        let own = || format!("bench-{}", uuid::Uuid::new_v4().simple());
        Ok(Self {
            connected: connect(&place.config, Arc::new(SystemClock)).await?,
            queue: args.queue.clone().unwrap_or_else(own),
            probe: Probe::open(&place.url).await?,
            server: None,
            args: args.clone(),
            fleet,
        })
    }

    /// With a server of its own.
    async fn on_its_own(args: &BenchArgs) -> anyhow::Result<Self> {
        let server = Server::start(args.aof).await?;
        let place = Place {
            url: server.url(),
            config: server.config(),
        };
        let bench = Self::new(args, &place).await?;
        Ok(Self {
            server: Some(server),
            ..bench
        })
    }

    async fn measure(&mut self, measure: Measure, report: &mut Report) -> anyhow::Result<()> {
        match measure {
            Measure::Enqueue => enqueue::measure(self, report).await,
            Measure::Drain => drain::measure(self, report).await,
            Measure::Latency => latency::measure(self, report).await,
            Measure::Delayed => delayed::measure(self, report).await,
            Measure::Mixed => mixed::measure(self, report).await,
            Measure::Isolation => isolation::measure(self, report).await,
            Measure::Scaling => scaling::measure(self, report).await,
            Measure::Growth => growth::measure(self, report).await,
            Measure::Idle => idle::measure(self, report).await,
        }
    }

    /// Continues with a new private server: the stored results of one figure would slow down the next one, since commands
    /// cost Redis more while its table of keys grows. The user's own broker is kept.
    async fn anew(&mut self) -> anyhow::Result<()> {
        if self.server.is_some() {
            *self = Self::on_its_own(&self.args).await?;
        }
        Ok(())
    }

    /// The workers that the arguments describe, on this queue.
    fn crew(&self, queue: &str) -> Crew {
        Crew {
            processes: self.args.workers,
            concurrency: self.args.concurrency,
            threads: self.args.threads,
            queues: vec![queue.to_owned()],
        }
    }

    /// The name of a further queue.
    fn further_queue(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.queue)
    }

    /// Leaves the user's own broker as it was, except for results, which expire. A queue that the user named keeps all of
    /// its messages.
    async fn clear(&self) -> anyhow::Result<()> {
        if self.args.queue.is_some() {
            return Ok(());
        }
        for queue in self.connected.inspect.queues().await? {
            if queue.starts_with(&self.queue) {
                self.connected.inspect.purge(&queue).await?;
                self.connected.inspect.purge_dead_letters(&queue).await?;
            }
        }
        Ok(())
    }
}
