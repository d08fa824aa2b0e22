//! Limits on the total size of a guest's memories, and of its tables.
//!
//! wasmtime's own limits count each memory by itself. Must not know what a refusal leads to.

use wasmtime::ResourceLimiter;

/// Counts the size of one store's memories and tables.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Count,
    elements: Count,
}

#[derive(Debug)]
struct Count {
    held: u64,
    limit: u64,
    refused: Option<u64>,
}

impl Limiter {
    /// Limits in bytes, and in table elements.
    pub(crate) fn new(memory: u64, elements: u64) -> Self {
        let count = |limit| Count {
            held: 0,
            limit,
            refused: None,
        };
        Limiter {
            memory: count(memory),
            elements: count(elements),
        }
    }

    /// Bytes held by all memories. They never shrink, so this is the peak as well.
    pub(crate) fn memory(&self) -> u64 {
        self.memory.held
    }

    /// The limit that the guest hit last, as a sentence.
    pub(crate) fn refusal(&self) -> Option<String> {
        let memory = self.memory.refused.map(|asked| {
            format!(
                "out of memory: asked for {asked} bytes in all, the limit is {}",
                self.memory.limit
            )
        });
        memory.or_else(|| {
            let asked = self.elements.refused?;
            let limit = self.elements.limit;
            Some(format!(
                "out of table elements: asked for {asked} in all, the limit is {limit}"
            ))
        })
    }
}

impl Count {
    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        let held = self
            .held
            .saturating_add(desired.saturating_sub(current) as u64);
        if held > self.limit {
            self.refused = Some(held);
            return false;
        }
        // Growing beyond the guest's own maximum fails after this, so it must not be counted.
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        if possible {
            self.held = held;
        }
        possible
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A refusal is an answer that the guest may handle. It matters only if the guest then fails.
        Ok(self.memory.grow(current, desired, maximum))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.elements.grow(current, desired, maximum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_counts_not_each_memory() {
        let mut limiter = Limiter::new(100, 10);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.memory(), 100);
        let refusal = limiter.refusal().unwrap();
        assert_eq!(
            refusal,
            "out of memory: asked for 120 bytes in all, the limit is 100"
        );
    }

    #[test]
    fn a_growth_above_the_memorys_own_maximum_is_not_counted() {
        let mut limiter = Limiter::new(100, 10);
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!((limiter.memory(), limiter.refusal()), (0, None));
    }

    #[test]
    fn tables_have_their_own_limit() {
        let mut limiter = Limiter::new(100, 10);
        assert!(!limiter.table_growing(0, 11, None).unwrap());
        assert!(
            limiter
                .refusal()
                .unwrap()
                .starts_with("out of table elements: asked for 11")
        );
    }
}
