//! Waiting for something to come true, with an end.
//!
//! Must not be used to let time pass: a condition is something that can be seen.

use std::time::{Duration, Instant};

/// The longest wait for anything. Far above what any wait takes: a test that gets here has failed.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until there is something to see, and returns it.
pub fn until_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_some_within(PATIENCE, what, look)
}

/// The same, for what takes longer than anything else.
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
        assert!(begun.elapsed() < patience, "waited in vain for: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Looks until it is true.
pub fn until(what: &str, mut look: impl FnMut() -> bool) {
    until_some(what, || look().then_some(()));
}
