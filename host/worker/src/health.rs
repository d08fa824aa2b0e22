//! Whether the broker can be reached.
//!
//! Must not know who asks it for what.

use chicory_signature::with_causes;
use std::sync::atomic::{AtomicBool, Ordering};

use chicory_queue::BrokerError;

use crate::observer::{Events, WorkerEvent};

/// Whether the broker can be reached, said once per change by whichever duty sees it first.
#[derive(Debug, Default)]
pub(crate) struct Health {
    lost: AtomicBool,
}

impl Health {
    pub(crate) fn ok(&self, events: &Events) {
        if self.lost.load(Ordering::Relaxed) && self.lost.swap(false, Ordering::AcqRel) {
            tracing::info!("the broker is back");
            events.send(|| WorkerEvent::BrokerBack);
        }
    }

    pub(crate) fn failed(&self, error: &BrokerError, events: &Events) {
        if !self.lost.swap(true, Ordering::AcqRel) {
            tracing::warn!(error = %with_causes(error), "the broker can't be used; tasks at work go on, and it is tried again");
            events.send(|| WorkerEvent::BrokerLost {
                reason: with_causes(error),
            });
        }
    }
}
