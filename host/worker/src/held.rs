//! The deliveries in hand: fetched, and not settled yet.
//!
//! Must not know what any duty does with them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chicory_queue::Lease;
use tokio::sync::Notify;

use crate::attempt::Attempt;

/// All attempts in hand.
#[derive(Default)]
pub(crate) struct HeldAttempts {
    slots: Mutex<Slots>,
    emptied: Notify,
}

/// Attempts by slot. Slots are used again, so that holding one allocates nothing once there are enough.
#[derive(Default)]
struct Slots {
    attempts: Vec<Option<Arc<Attempt>>>,
    free: Vec<usize>,
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
        let attempt = Arc::new(attempt);
        self.attempts[slot] = Some(Arc::clone(&attempt));
        attempt
    }

    fn remove(&mut self, slot: usize) {
        if self.attempts.get_mut(slot).and_then(Option::take).is_some() {
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

    /// Lets go of a batch that is settled.
    pub(crate) fn remove<'a>(&self, batch: impl Iterator<Item = &'a Attempt>) {
        let mut slots = self.lock();
        for attempt in batch {
            slots.remove(attempt.slot);
        }
        if slots.len() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Lets go of all.
    pub(crate) fn take_all(&self) -> Vec<Arc<Attempt>> {
        let slots = std::mem::take(&mut *self.lock());
        slots.attempts.into_iter().flatten().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether this very delivery is in hand already.
    pub(crate) fn has(&self, lease: &Lease) -> bool {
        let held = |attempt: &Attempt| {
            let own = attempt.lease();
            own.entry == lease.entry && own.queue == lease.queue
        };
        self.lock().attempts.iter().flatten().any(|one| held(one))
    }

    /// Those that `wanted` picks.
    pub(crate) fn pick(&self, wanted: impl Fn(&Attempt) -> bool) -> Vec<Arc<Attempt>> {
        let slots = self.lock();
        let held = slots.attempts.iter().flatten();
        held.filter(|attempt| wanted(attempt)).cloned().collect()
    }

    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// No code panics under this lock; were it to happen, the slots would still be whole.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
