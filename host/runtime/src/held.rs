//! Bytes that count for a call for as long as somebody holds them.
//!
//! Must not know what they are.

use std::sync::Arc;

use crate::memory::OutOfMemory;
use crate::monitor::Monitor;

/// Bytes that are counted for as long as this is kept.
pub(crate) struct Held {
    monitor: Arc<Monitor>,
    bytes: u64,
}

impl Held {
    /// Counts bytes for a call.
    pub(crate) fn new(monitor: &Arc<Monitor>, bytes: u64) -> Result<Held, OutOfMemory> {
        monitor.memory().charge(bytes)?;
        let monitor = Arc::clone(monitor);
        Ok(Held { monitor, bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.monitor.memory().release(self.bytes);
    }
}
