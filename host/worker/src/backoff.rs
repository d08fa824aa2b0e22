//! The pauses between attempts at something that fails, each longer than the last.
//!
//! Must not know what fails.

use std::time::Duration;

/// From 50 ms, doubling to 1 s: work resumes within 2 s of an outage's end, even if a connection also has to wait for
/// its next attempt.
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
