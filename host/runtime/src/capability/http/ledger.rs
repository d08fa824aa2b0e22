//! What the host holds for the handles of one call, in bytes, by the handle's number in the call's table.
//!
//! Must not know what a handle stands for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::memory::OutOfMemory;
use crate::monitor::Monitor;

/// What any handle counts: its entry in the table, and what the entry points to.
const HANDLE: u64 = 256;

/// Bytes by handle.
pub(super) struct Ledger {
    monitor: Arc<Monitor>,
    held: HashMap<u32, u64>,
}

impl Ledger {
    /// No handles yet.
    pub(super) fn new(monitor: Arc<Monitor>) -> Self {
        Ledger {
            monitor,
            held: HashMap::new(),
        }
    }

    /// The handle stands for this many bytes from now on.
    pub(super) fn set(&mut self, handle: u32, bytes: u64) -> Result<(), OutOfMemory> {
        let bytes = bytes.saturating_add(HANDLE);
        let before = self.held.get(&handle).copied().unwrap_or(0);
        let memory = self.monitor.memory();
        if bytes > before {
            memory.charge(bytes - before)?;
        } else {
            memory.release(before - bytes);
        }
        self.held.insert(handle, bytes);
        Ok(())
    }

    /// The handle is gone, and what it stood for.
    pub(super) fn drop(&mut self, handle: u32) {
        if let Some(bytes) = self.held.remove(&handle) {
            self.monitor.memory().release(bytes);
        }
    }

    /// The handle is gone, but what it stood for is kept by something without a handle, until the call ends.
    pub(super) fn forget(&mut self, handle: u32) {
        self.held.remove(&handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_log::CallLog;
    use crate::limits::{Limits, ResolvedLimits};
    use crate::memory::FLOOR;

    #[test]
    fn what_handles_stand_for_is_counted_until_they_are_dropped() {
        let limits = ResolvedLimits::resolve(&Limits::default(), 1 << 20).unwrap();
        let log = CallLog::new(&limits, None, false);
        let monitor = Arc::new(Monitor::start(log, &limits));
        let mut ledger = Ledger::new(Arc::clone(&monitor));
        for handle in 0..16 {
            ledger.set(handle, 1 << 20).unwrap();
        }
        assert!(ledger.set(16, 1 << 20).is_err());
        ledger.set(0, 0).unwrap();
        ledger.set(16, 1 << 20).unwrap();
        for handle in 0..17 {
            ledger.drop(handle);
        }
        monitor.memory().charge(FLOOR + (1 << 20)).unwrap();
    }
}
