//! What one call holds, in bytes: the guest's memories, and what the host keeps for it.
//!
//! Both count against the task's limit `memory`. The host's part begins to count above a floor, so that a guest
//! with little memory can still be given arguments and log. Must not know what the bytes are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the host may hold for any call, in bytes, whatever memory its guest has. What it holds above that counts
/// against the task's limit `memory`, together with the guest's own memory.
pub const FLOOR: u64 = 16 << 20;

/// The bytes that one call holds.
#[derive(Debug)]
pub(crate) struct CallMemory {
    limit: u64,
    guest: AtomicU64,
    host: AtomicU64,
    host_peak: AtomicU64,
    refused: Mutex<Option<OutOfMemory>>,
}

/// Guest and host would hold more for the call than its limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "out of memory: asked for {guest} bytes for the guest and {host} for what the host holds for it, the limit is {limit}"
)]
pub(crate) struct OutOfMemory {
    guest: u64,
    host: u64,
    limit: u64,
}

impl CallMemory {
    /// `limit` in bytes: the task's limit `memory`.
    pub(crate) fn new(limit: u64) -> Self {
        CallMemory {
            limit,
            guest: AtomicU64::new(0),
            host: AtomicU64::new(0),
            host_peak: AtomicU64::new(0),
            refused: Mutex::new(None),
        }
    }

    /// Counts what the guest's memories grow by.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let guest = add(&self.guest, bytes);
        self.check(guest, self.host.load(Ordering::Relaxed))
            .inspect_err(|_| self.shrink(bytes))
    }

    /// Takes back a growth that did not happen.
    pub(crate) fn shrink(&self, bytes: u64) {
        self.guest.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that the host holds for the call until it gives them back.
    pub(crate) fn charge(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let host = add(&self.host, bytes);
        self.check(self.guest(), host)
            .inspect(|()| {
                self.host_peak.fetch_max(host, Ordering::Relaxed);
            })
            .inspect_err(|_| self.release(bytes))
    }

    /// The host no longer holds these bytes.
    pub(crate) fn release(&self, bytes: u64) {
        self.host.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn check(&self, guest: u64, host: u64) -> Result<(), OutOfMemory> {
        let limit = self.limit;
        if guest.saturating_add(host.saturating_sub(FLOOR)) <= limit {
            return Ok(());
        }
        let refused = OutOfMemory { guest, host, limit };
        *self.refusals() = Some(refused);
        Err(refused)
    }

    fn refusals(&self) -> MutexGuard<'_, Option<OutOfMemory>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was refused last, if anything was.
    pub(crate) fn refusal(&self) -> Option<OutOfMemory> {
        *self.refusals()
    }

    /// The bytes of all the guest's memories. They never shrink, so this is the peak as well.
    pub(crate) fn guest(&self) -> u64 {
        self.guest.load(Ordering::Relaxed)
    }

    /// What the guest, and what the host does not yet hold for it, may have together.
    pub(crate) fn left(&self) -> u64 {
        let most = self.limit.saturating_add(FLOOR);
        most.saturating_sub(self.host.load(Ordering::Relaxed))
    }

    /// The bytes of the guest and of the host.
    pub(crate) fn held(&self) -> u64 {
        self.guest() + self.host.load(Ordering::Relaxed)
    }

    /// The most bytes that the host held at a time.
    pub(crate) fn host_peak(&self) -> u64 {
        self.host_peak.load(Ordering::Relaxed)
    }
}

/// Adds, and answers with the sum. The counts are of bytes that exist, or are refused at once: they don't overflow.
fn add(count: &AtomicU64, bytes: u64) -> u64 {
    count
        .fetch_add(bytes, Ordering::Relaxed)
        .saturating_add(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_its_floor_and_shares_what_is_above() {
        let memory = CallMemory::new(1000);
        memory.charge(FLOOR).unwrap();
        memory.grow(1000).unwrap();
        let refused = memory.charge(1).unwrap_err();
        let host = FLOOR + 1;
        assert_eq!(
            refused.to_string(),
            format!(
                "out of memory: asked for 1000 bytes for the guest and {host} for what the host holds for it, the limit is 1000"
            )
        );
        memory.release(1);
        memory.charge(1).unwrap();
        assert_eq!((memory.guest(), memory.host_peak()), (1000, FLOOR));
    }

    #[test]
    fn what_was_refused_does_not_count() {
        let memory = CallMemory::new(1000);
        memory.grow(600).unwrap();
        memory.grow(600).unwrap_err();
        memory.charge(FLOOR + 401).unwrap_err();
        memory.charge(FLOOR + 400).unwrap();
        memory.grow(1).unwrap_err();
        assert_eq!(memory.guest(), 600);
    }
}
