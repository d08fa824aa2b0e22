//! What can be broken, how it is called, and for how long.
//!
//! Must not know how it is done: see `fleet` and `ground`.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Something that breaks, and is whole again at its end.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL to a worker; another takes its place at the end.
    WorkerKilled,
    /// SIGSTOP to a worker for longer than its leases last.
    WorkerStopped,
    /// SIGTERM to a worker; another takes its place once it has drained.
    WorkerReplaced,
    /// SIGKILL to all workers at once.
    AllWorkersKilled,
    /// SIGKILL to the programs that enqueue.
    ProducersKilled,
    /// A worker's clock is an hour ahead.
    WorkerClockAhead,
    /// A worker's clock is ten minutes behind.
    WorkerClockBehind,
    /// The clock of all workers is ten minutes behind.
    AllClocksBehind,
    /// SIGKILL to the server; it starts again at the end.
    ServerKilled,
    /// SIGSTOP to the server.
    ServerFrozen,
    /// The server is asked to end, and starts again at once.
    ServerRestarted,
    /// The server's files can't grow: it dies while it writes.
    DiskFull,
    /// The server can't save its data, and refuses writes (MISCONF).
    SavingFails,
    /// The server has no memory left for writes (OOM).
    MemoryFull,
    /// The server is a replica, and refuses writes (READONLY).
    ReadOnly,
    /// The server forgets its scripts.
    ScriptsLost,
    /// The server loses the consumer group of a queue, with all leases.
    GroupLost,
    /// The server's clock is a minute ahead: what is delayed meanwhile waits for so long, which the drain can wait for.
    ServerClockAhead,
    /// The server's clock is ten minutes behind.
    ServerClockBehind,
    /// Connections break in the middle of replies.
    ConnectionsCut,
    /// What is sent disappears, and these connections never answer again.
    BlackHole,
    /// What is sent arrives only at the end.
    Stalled,
    /// Everything that is sent takes 50 ms.
    Slowed,
    /// A planned failover: a replica takes over while the master lives. Ends once it has.
    FailsOver,
    /// SIGKILL to a master; it comes back at the end.
    MasterKilled,
    /// SIGSTOP to a master.
    MasterFrozen,
    /// SIGKILL to a replica; it comes back at the end.
    ReplicaKilled,
    /// A queue's slot moves to another master; half of its keys at first, the others at the end.
    SlotsMoved,
}

impl Fault {
    /// How it is told.
    pub fn text(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker killed",
            Self::WorkerStopped => "worker stopped (SIGSTOP)",
            Self::WorkerReplaced => "worker drained and replaced",
            Self::AllWorkersKilled => "all workers killed",
            Self::ProducersKilled => "producers killed",
            Self::WorkerClockAhead => "worker's clock 1 h ahead",
            Self::WorkerClockBehind => "worker's clock 10 min behind",
            Self::AllClocksBehind => "all workers' clocks 10 min behind",
            Self::ServerKilled => "server killed",
            Self::ServerFrozen => "server frozen (SIGSTOP)",
            Self::ServerRestarted => "server restarted",
            Self::DiskFull => "disk full: server dies writing",
            Self::SavingFails => "saving fails (MISCONF)",
            Self::MemoryFull => "memory full (OOM)",
            Self::ReadOnly => "server read-only",
            Self::ScriptsLost => "scripts lost",
            Self::GroupLost => "consumer group lost",
            Self::ServerClockAhead => "server's clock 1 min ahead",
            Self::ServerClockBehind => "server's clock 10 min behind",
            Self::ConnectionsCut => "connections cut in mid-reply",
            Self::BlackHole => "black hole",
            Self::Stalled => "network stalled",
            Self::Slowed => "network slowed",
            Self::FailsOver => "planned failover",
            Self::MasterKilled => "master killed",
            Self::MasterFrozen => "master frozen (SIGSTOP)",
            Self::ReplicaKilled => "replica killed",
            Self::SlotsMoved => "a queue's slot moved",
        }
    }

    /// How long it lasts, in milliseconds. Some go beyond the leases of 2 s and the client's patience of 5 s.
    pub(crate) fn lasts(self) -> RangeInclusive<u64> {
        match self {
            Self::ScriptsLost | Self::GroupLost | Self::ProducersKilled | Self::FailsOver => 0..=0,
            Self::MasterKilled | Self::MasterFrozen => 3_000..=8_000,
            Self::WorkerKilled | Self::AllWorkersKilled | Self::WorkerReplaced => 100..=2_000,
            Self::WorkerStopped => 3_000..=7_000,
            Self::ServerKilled | Self::DiskFull => 200..=5_000,
            Self::ServerRestarted => 0..=200,
            Self::ServerFrozen | Self::BlackHole => 1_000..=9_000,
            _ => 1_000..=4_000,
        }
    }

    /// How long after its end it may still be noticed: connections that were swallowed stay silent, and the program
    /// waits for an answer for 5 s.
    pub fn noticed_within(self) -> Duration {
        match self {
            Self::BlackHole => Duration::from_secs(5),
            _ => Duration::ZERO,
        }
    }

    /// Whether it is done to a worker, and which one matters.
    pub fn has_a_seat(self) -> bool {
        matches!(
            self,
            Self::WorkerKilled
                | Self::WorkerStopped
                | Self::WorkerReplaced
                | Self::WorkerClockAhead
                | Self::WorkerClockBehind
        )
    }

    /// Whether it is done to workers or producers, and not to what keeps the queues.
    pub fn is_of_processes(self) -> bool {
        self.has_a_seat()
            || matches!(
                self,
                Self::AllWorkersKilled | Self::ProducersKilled | Self::AllClocksBehind
            )
    }

    /// Whether it takes libfaketime.
    pub fn moves_a_clock(self) -> bool {
        self.moves_a_workers_clock()
            || matches!(self, Self::ServerClockAhead | Self::ServerClockBehind)
    }

    /// Whether it takes libfaketime in the workers.
    pub fn moves_a_workers_clock(self) -> bool {
        matches!(
            self,
            Self::WorkerClockAhead | Self::WorkerClockBehind | Self::AllClocksBehind
        )
    }

    /// How far a clock is moved, in seconds.
    pub(crate) fn moved_by(self) -> i64 {
        match self {
            Self::WorkerClockAhead => 3_600,
            Self::ServerClockAhead => 60,
            Self::WorkerClockBehind | Self::AllClocksBehind | Self::ServerClockBehind => -600,
            _ => 0,
        }
    }

    /// Whether a task may run once more because of it: its worker or its lease can be gone.
    pub fn repeats_tasks(self) -> bool {
        !matches!(
            self,
            Self::WorkerReplaced | Self::ProducersKilled | Self::ScriptsLost
        )
    }

    /// Whether it ends workers without a word.
    pub fn kills_workers(self) -> bool {
        matches!(self, Self::WorkerKilled | Self::AllWorkersKilled)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
