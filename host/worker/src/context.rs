//! What the duties of one running worker share: the deliveries in hand, permits, counters, health.
//!
//! Must not know what any duty does with it.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use chicory_queue::{BrokerError, Clock, Connected, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::WorkerConfig;
use crate::attempt::Concluded;
use crate::attempt::runner::Runner;
use crate::decoding::Decoding;
use crate::health::{Failed, Health};
use crate::held::HeldAttempts;
use crate::observer::{Log, Observer};
use crate::unacknowledged::Unacknowledged;
use crate::work::WorkQueue;

/// The shared state of one run of a worker.
pub(crate) struct WorkerContext {
    pub(crate) config: WorkerConfig,
    pub(crate) connected: Connected,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) queues: Vec<Arc<str>>,
    pub(crate) consumer: Arc<str>,
    /// How long a lease lasts, as the broker says.
    pub(crate) lease: Duration,
    /// One permit per task that may run.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) held: Arc<HeldAttempts>,
    /// Leads to the lanes.
    pub(crate) work: Arc<WorkQueue>,
    /// Calls that start once their messages are acknowledged.
    pub(crate) unacknowledged: Unacknowledged,
    /// Large messages that are being decoded.
    pub(crate) decoding: Decoding,
    /// Attempts to be settled.
    pub(crate) concluded: async_channel::Sender<Vec<Concluded>>,
    /// Cancelled when no task is running any more.
    pub(crate) closing: CancellationToken,
    /// Cancelled when a part of the worker has panicked.
    pub(crate) broken: CancellationToken,
    /// Whether the registry knows when this worker is gone.
    pub(crate) listens: AtomicBool,
    pub(crate) counts: Counts,
    pub(crate) health: Health,
    pub(crate) started_at: Timestamp,
}

/// Counters for heartbeats and the summary.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) processed: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl WorkerContext {
    /// Whether the lanes have enough to do for a while, and will soon be done with it.
    pub(crate) fn has_stock(&self) -> bool {
        self.work.short_starts() > self.config.concurrency / 2
    }

    /// Notes whether a call to the broker succeeded, and passes the answer on.
    #[track_caller]
    pub(crate) fn note<T>(&self, answer: Result<T, BrokerError>) -> Option<T> {
        let asker = Location::caller();
        match answer {
            Ok(value) => {
                if self.health.ok(asker) {
                    self.tell(Observer::broker_back);
                }
                Some(value)
            }
            Err(error) => {
                match self.health.failed(asker) {
                    Failed::First => self.tell(|observer| observer.broker_lost(&error)),
                    Failed::Still => Log.broker_lost(&error),
                    Failed::Again => {}
                }
                None
            }
        }
    }

    /// Writes to the log, and tells the observer if there is one.
    pub(crate) fn tell(&self, what: impl Fn(&dyn Observer)) {
        what(&Log);
        if let Some(observer) = &self.observer {
            what(&**observer);
        }
    }
}
