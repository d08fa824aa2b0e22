//! What the duties of one running worker share: the deliveries in hand, permits, counters, health.
//!
//! Must not know what any duty does with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chicory_queue::{BrokerError, Clock, Connected, Delivery, Lease, Timestamp};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::WorkerConfig;
use crate::catalog::Catalog;
use crate::event::{Events, WorkerEvent};
use crate::execute::Finished;
use crate::lane::Ready;
use crate::runner::Runner;

/// The shared state of one run of a worker.
pub(crate) struct Shift {
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

/// A delivery in hand: fetched, and not settled yet.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) lease: Lease,
    pub(crate) raw: Bytes,
    pub(crate) task_id: String,
    pub(crate) retries: u32,
    pub(crate) ignore_result: bool,
    /// When the lease's time last began.
    pub(crate) leased_at: Instant,
    pub(crate) fetched_at: Instant,
    /// Whether clients have been told that it is at work.
    pub(crate) announced: bool,
}

/// All deliveries in hand, oldest first.
#[derive(Debug, Default)]
pub(crate) struct HeldDeliveries {
    by_ticket: Mutex<BTreeMap<u64, Held>>,
    next: AtomicU64,
    emptied: Notify,
}

impl HeldDeliveries {
    /// One lock for a whole batch. Returns the first delivery's ticket; the others follow it.
    pub(crate) fn insert(&self, batch: impl ExactSizeIterator<Item = Held>) -> u64 {
        let first = self.next.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.lock().extend((first..).zip(batch));
        first
    }

    pub(crate) fn remove(&self, tickets: impl Iterator<Item = u64>) {
        let mut held = self.lock();
        for ticket in tickets {
            held.remove(&ticket);
        }
        if held.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    pub(crate) fn take_all(&self) -> Vec<Held> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether this very delivery is in hand already.
    pub(crate) fn has(&self, lease: &Lease) -> bool {
        self.lock()
            .values()
            .any(|held| held.lease.entry == lease.entry && held.lease.queue == lease.queue)
    }

    /// Looks at each delivery, oldest first, until `look` returns false.
    pub(crate) fn look(&self, mut look: impl FnMut(u64, &mut Held) -> bool) {
        for (ticket, held) in self.lock().iter_mut() {
            if !look(*ticket, held) {
                return;
            }
        }
    }

    pub(crate) fn with(&self, ticket: u64, change: impl FnOnce(&mut Held)) {
        if let Some(held) = self.lock().get_mut(&ticket) {
            change(held);
        }
    }

    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// No code panics under this lock; were it to happen, the map would still be whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Held>> {
        self.by_ticket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(crate) fn new(delivery: &Delivery, retries: u32, ignore_result: bool) -> Self {
        let now = Instant::now();
        Self {
            lease: delivery.lease.clone(),
            raw: delivery.raw.clone(),
            task_id: delivery.task_id.clone(),
            retries,
            ignore_result,
            leased_at: now,
            fetched_at: now,
            announced: false,
        }
    }
}

/// Whether the broker can be reached, said once per change by whichever duty sees it first.
#[derive(Debug, Default)]
pub(crate) struct Health {
    lost: AtomicBool,
}

impl Health {
    pub(crate) fn ok(&self, events: &Events) {
        if self.lost.load(Ordering::Relaxed) && self.lost.swap(false, Ordering::AcqRel) {
            tracing::info!("the broker is back");
            events.send(|| WorkerEvent::BrokerBack);
        }
    }

    pub(crate) fn failed(&self, error: &BrokerError, events: &Events) {
        if !self.lost.swap(true, Ordering::AcqRel) {
            tracing::warn!(%error, "the broker can't be used; tasks at work go on, and it is tried again");
            events.send(|| WorkerEvent::BrokerLost {
                reason: error.to_string(),
            });
        }
    }
}

impl Shift {
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

/// Waits between tries at a broker that fails: from 50 ms, doubling to 2 s.
#[derive(Debug)]
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) const fn new() -> Self {
        Self(FIRST_WAIT)
    }

    pub(crate) fn reset(&mut self) {
        self.0 = FIRST_WAIT;
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
