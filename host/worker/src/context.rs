//! What the duties of one running worker share: the deliveries in hand, permits, counters, health.
//!
//! Must not know what any duty does with it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chicory_queue::{BrokerError, Clock, Connected, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::WorkerConfig;
use crate::attempt::{Finished, Ready};
use crate::health::Health;
use crate::held::HeldDeliveries;
use crate::observer::Events;
use crate::runner::Runner;
use crate::sandbox::Catalog;

/// The shared state of one run of a worker.
pub(crate) struct WorkerContext {
    pub(crate) config: WorkerConfig,
    pub(crate) connected: Connected,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) queues: Vec<Arc<str>>,
    pub(crate) consumer: Arc<str>,
    /// One permit per task that may be at work.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) held: HeldDeliveries,
    /// The threads of the sandboxes.
    pub(crate) sandboxes: tokio::runtime::Handle,
    /// To the lanes.
    pub(crate) ready: async_channel::Sender<Ready>,
    pub(crate) finished: async_channel::Sender<Vec<Finished>>,
    /// Cancelled when no sandbox is at work any more.
    pub(crate) closing: CancellationToken,
    /// Cancelled when a part of the worker has panicked.
    pub(crate) broken: CancellationToken,
    pub(crate) counts: Counts,
    pub(crate) health: Health,
    pub(crate) started_at: Timestamp,
    /// Whether it serves what the registry says.
    pub(crate) in_fleet: bool,
}

/// Counters for heartbeats and the summary.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) processed: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl WorkerContext {
    /// Whether the lanes have enough to do for a while.
    pub(crate) fn has_stock(&self) -> bool {
        self.ready.len() > self.config.concurrency / 2
    }

    /// Notes how a call to the broker went, and passes the answer on.
    pub(crate) fn note<T>(&self, answer: Result<T, BrokerError>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.health.ok(&self.events);
                Some(value)
            }
            Err(error) => {
                self.health.failed(&error, &self.events);
                None
            }
        }
    }
}
