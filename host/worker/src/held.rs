//! The deliveries in hand: fetched, and not settled yet.
//!
//! Must not know what any duty does with them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use chicory_queue::{Delivery, Lease};
use tokio::sync::Notify;

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
