//! What keeps the queues during a run, and can be broken.
//!
//! Must not know workers or tasks.

mod cluster;
mod file;
mod plain;
mod sentinel;

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::clock;
use crate::fault::Fault;
use crate::schedule::Planned;

/// Faults that need no more than workers and producers.
const OF_PROCESSES: [Fault; 5] = [
    Fault::WorkerKilled,
    Fault::WorkerStopped,
    Fault::WorkerReplaced,
    Fault::AllWorkersKilled,
    Fault::ProducersKilled,
];
/// Faults of workers that are on a machine of their own.
const OF_MACHINES: &[Fault] = &[Fault::WorkerClockAhead, Fault::WorkerClockBehind];
/// Faults of workers that are on one machine. A clock that is ahead would rightly delay retries until it is true.
const OF_ONE_MACHINE: &[Fault] = &[Fault::AllClocksBehind];

/// Something that keeps queues.
pub trait Ground {
    /// Its address as `--broker` takes it.
    fn url(&self) -> String;
    /// Its address without what breaks connections, for the account.
    fn direct_url(&self) -> String {
        self.url()
    }
    /// Breaks it.
    fn begin(&mut self, fault: Fault);
    /// Mends it.
    fn end(&mut self, fault: Fault);
    /// Waits until the next fault can be done. Clients need not wait for this.
    fn until_whole(&mut self) {}
}

/// The kinds of ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One redis-server behind a proxy.
    Redis,
    /// The embedded broker's file.
    Sqlite,
    /// A master, two replicas and three Sentinels.
    Sentinel,
    /// A Redis Cluster of three masters and three replicas.
    Cluster,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Sqlite => "SQLite",
            Self::Sentinel => "Sentinel",
            Self::Cluster => "Cluster",
        }
    }

    /// How long it may take after a fault's end until tasks are completed again.
    pub fn recovery(self) -> Duration {
        match self {
            Self::Cluster => Duration::from_millis(5_000 + cluster::NODE_TIMEOUT_MS),
            _ => Duration::from_secs(2),
        }
    }

    /// The calm that it needs between two faults, in milliseconds.
    pub fn calm_ms(self) -> u64 {
        match self {
            Self::Redis | Self::Sqlite => 3_000,
            // A node that comes back is made a replica, and has to catch up.
            Self::Sentinel => 10_000,
            Self::Cluster => 8_000,
        }
    }

    /// Whose moved clock decides when a delayed task is due: the server's, or in a file the worker's own.
    pub fn clock_decides(self, fault: Fault) -> bool {
        fault.moves_a_clock() && fault.moves_a_workers_clock() == (self == Self::Sqlite)
    }

    /// The faults that can be done on it, on this machine.
    pub fn faults(self) -> Vec<Fault> {
        let own = match self {
            Self::Redis => [OF_MACHINES, plain::FAULTS],
            Self::Sqlite => [OF_ONE_MACHINE, &[]],
            Self::Sentinel => [OF_MACHINES, sentinel::FAULTS],
            Self::Cluster => [OF_MACHINES, cluster::FAULTS],
        };
        let all = OF_PROCESSES
            .iter()
            .chain(own.into_iter().flatten())
            .copied();
        all.filter(|fault| !fault.moves_a_clock() || clock::library().is_some())
            .collect()
    }

    /// Starts it, with what this schedule needs.
    pub fn start(self, runtime: &Runtime, schedule: &[Planned]) -> Box<dyn Ground> {
        match self {
            Self::Redis => Box::new(plain::Plain::start(runtime, schedule)),
            Self::Sqlite => Box::new(file::File::start()),
            Self::Sentinel => Box::new(sentinel::Sentinel::start()),
            Self::Cluster => Box::new(cluster::Cluster::start()),
        }
    }
}
