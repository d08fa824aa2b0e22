//! The deliveries in hand: fetched, but not settled yet.
//!
//! Must not know what any duty does with them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chicory_queue::Lease;
use tokio::sync::Notify;

use crate::attempt::Attempt;

/// Once the messages in hand have this many bytes, no more are fetched until some are settled. A single message may
/// have half of that.
pub(crate) const MAX_HELD_BYTES: usize = 64 << 20;

/// All attempts in hand.
#[derive(Default)]
pub(crate) struct HeldAttempts {
    slots: Mutex<Slots>,
    /// Notified whenever some are settled.
    settled: Notify,
}

/// Bytes that count as held.
pub(crate) struct Reserved {
    held: Arc<HeldAttempts>,
    bytes: usize,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.held.lock().bytes -= self.bytes;
        self.held.settled.notify_waiters();
    }
}

/// Attempts by slot. Slots are reused, so holding an attempt allocates nothing once there are enough.
#[derive(Default)]
struct Slots {
    attempts: Vec<Option<Arc<Attempt>>>,
    free: Vec<usize>,
    /// The size of their messages.
    bytes: usize,
}

impl Slots {
    fn insert(&mut self, mut attempt: Attempt) -> Arc<Attempt> {
        attempt.slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.attempts.push(None);
                self.attempts.len() - 1
            }
        };
        let slot = attempt.slot;
        self.bytes += attempt.delivery.raw.len();
        let attempt = Arc::new(attempt);
        self.attempts[slot] = Some(Arc::clone(&attempt));
        attempt
    }

    fn remove(&mut self, slot: usize) {
        if let Some(attempt) = self.attempts.get_mut(slot).and_then(Option::take) {
            self.bytes -= attempt.delivery.raw.len();
            self.free.push(slot);
        }
    }

    fn len(&self) -> usize {
        self.attempts.len() - self.free.len()
    }
}

impl HeldAttempts {
    /// Holds a whole batch, under one lock.
    pub(crate) fn insert(&self, batch: impl Iterator<Item = Attempt>) -> Vec<Arc<Attempt>> {
        let mut slots = self.lock();
        batch.map(|attempt| slots.insert(attempt)).collect()
    }

    /// Counts the bytes of a message that is not held yet, until this is dropped.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Reserved {
        self.lock().bytes += bytes;
        Reserved {
            held: Arc::clone(self),
            bytes,
        }
    }

    /// Releases a batch that is settled.
    pub(crate) fn remove<'a>(&self, batch: impl Iterator<Item = &'a Attempt>) {
        let mut slots = self.lock();
        for attempt in batch {
            slots.remove(attempt.slot);
        }
        drop(slots);
        self.settled.notify_waiters();
    }

    /// Releases all.
    pub(crate) fn take_all(&self) -> Vec<Arc<Attempt>> {
        let slots = std::mem::take(&mut *self.lock());
        slots.attempts.into_iter().flatten().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many bytes of further messages fit.
    pub(crate) fn room(&self) -> usize {
        MAX_HELD_BYTES.saturating_sub(self.lock().bytes)
    }

    /// Waits until there is room for further messages; returns for how many bytes.
    pub(crate) async fn wait_for_room(&self) -> usize {
        loop {
            let settled = self.settled.notified();
            match self.room() {
                0 => settled.await,
                room => return room,
            }
        }
    }

    /// Whether this very delivery is already in hand.
    pub(crate) fn has(&self, lease: &Lease) -> bool {
        let held = |attempt: &Attempt| {
            let own = attempt.lease();
            own.entry == lease.entry && own.queue == lease.queue
        };
        self.lock().attempts.iter().flatten().any(|one| held(one))
    }

    /// Those that `wanted` selects.
    pub(crate) fn pick(&self, wanted: impl Fn(&Attempt) -> bool) -> Vec<Arc<Attempt>> {
        let slots = self.lock();
        let held = slots.attempts.iter().flatten();
        held.filter(|attempt| wanted(attempt)).cloned().collect()
    }

    pub(crate) async fn empty(&self) {
        loop {
            let settled = self.settled.notified();
            if self.len() == 0 {
                return;
            }
            settled.await;
        }
    }

    /// No code panics under this lock. Even if it did, the slots would still be whole.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
