//! What a transaction changed that someone may wait for.
//!
//! Must not know who waits.

use std::sync::Arc;

use crate::{Timestamp, Wake};

/// What a transaction changed that someone may wait for.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Messages became ready.
    pub(super) ready: bool,
    /// The earliest message delayed, per queue.
    pub(super) due: Vec<Wake>,
    /// Tasks that have a result now.
    pub(super) ended: Vec<String>,
    /// The registry's revision, if it has changed.
    pub(super) registry: Option<u64>,
}

impl Changes {
    /// Notes a delayed message.
    pub(super) fn delayed(&mut self, queue: &Arc<str>, due: Timestamp) {
        match self.due.iter_mut().find(|wake| wake.queue == *queue) {
            Some(wake) => wake.due = wake.due.min(due),
            None => self.due.push(Wake {
                queue: queue.clone(),
                due,
            }),
        }
    }
}
