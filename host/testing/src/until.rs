//! Waiting for a condition, with a time limit.
//!
//! Must not be used to let time pass: a condition is something that can be observed.

use std::time::{Duration, Instant};

/// The time limit of all waits. It is far above what any wait takes: a test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two checks.
const PAUSE: Duration = Duration::from_millis(5);

/// Checks until there is something, and returns it.
pub fn until_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_some_within(PATIENCE, what, look)
}

/// The same with another time limit, for what takes longer.
pub fn until_some_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            begun.elapsed() < patience,
            "still not seen after {patience:?}: {what}"
        );
        std::thread::sleep(PAUSE);
    }
}

/// Checks until it is true.
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    until_some(what, || look().then_some(()));
}
