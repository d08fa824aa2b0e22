//! How much memory is left to this process, and whether a call is small enough for that.
//!
//! A task may have more memory than the machine could give to all tasks at once, since few take all of it. Where many
//! do, the largest that computes is ended before the kernel ends the process: a call may be as large as what is left.
//! Must not know how a call is ended.

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How often the process's size is read, in milliseconds.
const PAUSE: u64 = 5;

/// Calls up to this size are never ended: it would help little.
const SMALL: u64 = 2 << 20;

/// No bound.
const NONE: u64 = u64::MAX;

/// The process, of which there is one.
static PROCESS: LazyLock<Process> = LazyLock::new(|| Process {
    bound: AtomicU64::new(NONE),
    begun: Instant::now(),
    next: AtomicU64::new(0),
    size: AtomicU64::new(0),
});

struct Process {
    bound: AtomicU64,
    begun: Instant,
    /// When its size is to be read, in milliseconds after `begun`.
    next: AtomicU64,
    size: AtomicU64,
}

/// Too little is left to this process for a call of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "out of memory: the worker has {size} of the {bound} bytes that it may have, and this call, with {held}, was the largest that computed; fewer tasks at once (concurrency) or more process_memory help"
)]
pub(crate) struct OutOfProcessMemory {
    size: u64,
    bound: u64,
    held: u64,
}

/// Sets the bound of the process, in bytes. The least that was set holds.
pub(crate) fn bound(bytes: u64) {
    PROCESS.bound.fetch_min(bytes, Ordering::Relaxed);
}

/// Whether a call that holds this many bytes may continue.
pub(crate) fn check(held: u64) -> Result<(), OutOfProcessMemory> {
    let bound = PROCESS.bound.load(Ordering::Relaxed);
    if bound == NONE || held <= SMALL {
        return Ok(());
    }
    let size = PROCESS.size();
    judge(size, bound, held)
}

fn judge(size: u64, bound: u64, held: u64) -> Result<(), OutOfProcessMemory> {
    if held <= bound.saturating_sub(size).max(SMALL) {
        return Ok(());
    }
    Err(OutOfProcessMemory { size, bound, held })
}

impl Process {
    /// Its size in memory, as it was a few milliseconds ago at most.
    fn size(&self) -> u64 {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(NONE);
        let next = self.next.load(Ordering::Relaxed);
        let later = now + PAUSE;
        // One thread reads it.
        let reads = now >= next
            && (self.next)
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if reads && let Some(size) = resident() {
            self.size.store(size, Ordering::Relaxed);
        }
        self.size.load(Ordering::Relaxed)
    }
}

/// The resident size of this process, in bytes.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes = line.trim().strip_suffix(" kB")?;
    Some(kibibytes.trim_end().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_be_as_large_as_what_is_left() {
        let mib = |count: u64| count << 20;
        assert!(judge(mib(100), mib(1000), mib(900)).is_ok());
        assert!(judge(mib(900), mib(1000), mib(100)).is_ok());
        let refused = judge(mib(900), mib(1000), mib(101)).unwrap_err();
        assert_eq!((refused.size, refused.held), (mib(900), mib(101)));
        assert!(judge(mib(2000), mib(1000), SMALL).is_ok());
    }

    #[test]
    fn the_process_knows_its_size() {
        assert!(resident().unwrap() > 1 << 20);
    }
}
