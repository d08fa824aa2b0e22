//! What keeps the queues during a run, and can be broken.
//!
//! Must not know workers or tasks.

mod plain;

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::clock;
use crate::fault::Fault;
use crate::schedule::Planned;

/// Faults that need no more than workers and producers.
const OF_PROCESSES: [Fault; 7] = [
    Fault::WorkerKilled,
    Fault::WorkerStopped,
    Fault::WorkerReplaced,
    Fault::AllWorkersKilled,
    Fault::ProducersKilled,
    Fault::WorkerClockAhead,
    Fault::WorkerClockBehind,
];

/// Something that keeps queues.
pub trait Ground {
    /// Its address as `--broker` takes it.
    fn url(&self) -> String;
    /// Its address without what breaks connections, for the account.
    fn direct_url(&self) -> String;
    /// Breaks it.
    fn begin(&mut self, fault: Fault);
    /// Mends it.
    fn end(&mut self, fault: Fault);
}

/// The kinds of ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One redis-server behind a proxy.
    Redis,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
        }
    }

    /// How long it may take after a fault's end until tasks are completed again.
    pub fn recovery(self) -> Duration {
        match self {
            Self::Redis => Duration::from_secs(2),
        }
    }

    /// The faults that can be done on it, on this machine.
    pub fn faults(self) -> Vec<Fault> {
        let own = match self {
            Self::Redis => plain::FAULTS,
        };
        let all = OF_PROCESSES.iter().chain(own).copied();
        all.filter(|fault| !fault.moves_a_clock() || clock::library().is_some())
            .collect()
    }

    /// Starts it, with what this schedule needs.
    pub fn start(self, runtime: &Runtime, schedule: &[Planned]) -> Box<dyn Ground> {
        match self {
            Self::Redis => Box::new(plain::Plain::start(runtime, schedule)),
        }
    }
}
