//! What is known about the queues' counters of reclaims. A script increments a queue's counter whenever it reclaims
//! leases. So a lease that was read after a count was known, and is settled while that count is unchanged,
//! has not been reclaimed and need not be checked.
//!
//! The known count may lag behind, but never run ahead. Must not ask the server: settlements return the counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last known count of each queue.
#[derive(Debug, Default)]
pub(super) struct Reclaims(Mutex<HashMap<Arc<str>, u64>>);

impl Reclaims {
    /// The counts of these queues, if they are known.
    pub(super) fn known(&self, queues: &[&Arc<str>]) -> Vec<Option<u64>> {
        let counts = self.lock();
        queues
            .iter()
            .map(|queue| counts.get(*queue).copied())
            .collect()
    }

    /// Notes what the server said. If two answers arrive out of order, the older one may remain: then the next
    /// settlement checks its leases and brings the right count.
    pub(super) fn note(&self, queue: &Arc<str>, count: u64) {
        let mut counts = self.lock();
        match counts.get_mut(queue) {
            Some(known) => *known = count,
            None => drop(counts.insert(Arc::clone(queue), count)),
        }
    }

    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
