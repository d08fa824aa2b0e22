//! Whether the broker can be reached, noticed once per change by whichever duty sees it first.
//!
//! Must not know who asks the broker for what.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the broker can be reached.
#[derive(Debug, Default)]
pub(crate) struct Health {
    lost: AtomicBool,
}

impl Health {
    /// The broker has answered. Says whether that is new.
    pub(crate) fn ok(&self) -> bool {
        self.lost.load(Ordering::Relaxed) && self.lost.swap(false, Ordering::AcqRel)
    }

    /// The broker has failed. Says whether that is new.
    pub(crate) fn failed(&self) -> bool {
        !self.lost.swap(true, Ordering::AcqRel)
    }
}
