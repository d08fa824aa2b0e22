//! Waits between attempts at something that fails, longer each time.
//!
//! Must not know what fails.

use std::time::Duration;

/// From 50 ms, doubling to 1 s: work goes on within 2 s of an outage's end, also where a connection waits for its turn
/// as well.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(FIRST_WAIT)
    }

    pub(crate) fn reset(&mut self) {
        self.0 = FIRST_WAIT;
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
