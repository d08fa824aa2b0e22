//! The handle that tells a worker to stop.
//!
//! Must not know what stopping involves.

use std::sync::Arc;

use tokio::sync::watch;

/// A handle that stops a worker. Clones are the same handle.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Phase>>);

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Now,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    /// Stop fetching, and let running tasks finish.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Stop at once: running tasks are released to other workers.
    pub fn now(&self) {
        self.advance(Phase::Now);
    }

    fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let further = to > *phase;
            *phase = to.max(*phase);
            further
        });
    }

    pub(crate) async fn reached(&self, phase: Phase) {
        let mut watched = self.0.subscribe();
        // The sender lives in `self`, so the wait can't fail.
        let _ = watched.wait_for(|now| *now >= phase).await;
    }
}
