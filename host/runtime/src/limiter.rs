//! Limits on the total size of a guest's memories, and of its tables.
//!
//! wasmtime's own limits count each memory by itself. Must not know what a refusal leads to.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::monitor::Monitor;

/// What the host holds for one element of a table, in bytes.
const ELEMENT: u64 = 8;

/// Counts the size of one store's memories and tables.
pub(crate) struct Limiter {
    monitor: Arc<Monitor>,
    elements: u64,
    most_elements: u64,
    refused: Option<u64>,
}

impl Limiter {
    /// For one call, with a limit in table elements.
    pub(crate) fn new(monitor: Arc<Monitor>, elements: u64) -> Self {
        Limiter {
            monitor,
            elements: 0,
            most_elements: elements,
            refused: None,
        }
    }

    /// The limit that was hit last, by the guest or by what the host holds for it, as a sentence.
    pub(crate) fn refusal(&self) -> Option<String> {
        let memory = self.monitor.memory().refusal();
        memory.map(|refused| refused.to_string()).or_else(|| {
            let asked = self.refused?;
            let limit = self.most_elements;
            Some(format!(
                "out of table elements: asked for {asked} in all, the limit is {limit}"
            ))
        })
    }
}

/// Growing beyond the guest's own maximum fails after the limits were asked, so it must not be counted.
fn is_possible(desired: usize, maximum: Option<usize>) -> bool {
    maximum.is_none_or(|maximum| desired <= maximum)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !is_possible(desired, maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        // A refusal is an answer that the guest may handle. It matters only if the guest then fails.
        Ok(self.monitor.memory().grow(more).is_ok())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !is_possible(desired, maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        let asked = self.elements.saturating_add(more);
        if asked > self.most_elements {
            self.refused = Some(asked);
            return Ok(false);
        }
        let memory = self.monitor.memory();
        let fits = memory.charge(more.saturating_mul(ELEMENT)).is_ok();
        if fits {
            self.elements = asked;
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_log::CallLog;
    use crate::limits::{Limits, ResolvedLimits};

    fn limiter(memory: u64, elements: u64) -> Limiter {
        let limits = Limits {
            memory: Some(memory.into()),
            ..Limits::default()
        };
        let limits = ResolvedLimits::resolve(&limits, 1 << 20).unwrap();
        let monitor = Monitor::start(CallLog::new(&limits, None, false), &limits);
        Limiter::new(Arc::new(monitor), elements)
    }

    #[test]
    fn the_sum_counts_not_each_memory() {
        let mut limiter = limiter(100, 10);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.monitor.memory().guest(), 100);
        let refusal = limiter.refusal().unwrap();
        assert!(
            refusal.starts_with("out of memory: asked for 120 bytes for the guest"),
            "{refusal}"
        );
    }

    #[test]
    fn a_growth_above_the_memorys_own_maximum_is_not_counted() {
        let mut limiter = limiter(100, 10);
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!(
            (limiter.monitor.memory().guest(), limiter.refusal()),
            (0, None)
        );
    }

    #[test]
    fn tables_have_their_own_limit_and_count_as_memory_of_the_host() {
        let mut limiter = limiter(100, 10);
        assert!(!limiter.table_growing(0, 11, None).unwrap());
        assert!(
            limiter
                .refusal()
                .unwrap()
                .starts_with("out of table elements: asked for 11")
        );
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert_eq!(limiter.monitor.memory().host_peak(), 80);
    }
}
