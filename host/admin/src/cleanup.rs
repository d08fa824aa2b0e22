//! Removing what dead workers left behind. Never removes a message.
//!
//! Must not know how consumers are kept.

use std::time::Duration;

use serde::Serialize;

use crate::{Admin, AdminError};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// Workers without a heartbeat.
    pub workers: u64,
    /// Consumers that were idle and held nothing.
    pub consumers: u64,
}

impl Admin {
    /// Removes workers without a heartbeat, and consumers of all queues that have been idle for longer than `idle` and
    /// hold nothing.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn clean_up(&self, idle: Duration) -> Result<Cleaned, AdminError> {
        let mut cleaned = Cleaned {
            workers: self.connected.results.remove_stale_workers().await?,
            consumers: 0,
        };
        let inspect = &self.connected.inspect;
        for queue in inspect.queues().await? {
            cleaned.consumers += inspect.remove_stale_consumers(&queue, idle).await?;
        }
        Ok(cleaned)
    }
}
