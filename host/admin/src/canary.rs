//! Waiting for a canary to be promoted or rolled back.
//!
//! Must not know how it is judged.

use std::time::Duration;

use chicory_queue::AuditEntry;
use serde::Serialize;

use crate::{Admin, AdminError};

/// How a canary ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum CanaryEnd {
    /// It became the active version.
    Promoted(AuditEntry),
    /// The active version serves all messages again.
    RolledBack(AuditEntry),
    /// It has ended, and the audit log no longer says how.
    Unknown,
}

/// A wake-up may be lost, so the registry is asked at least this often.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The number of lines of the audit log in which the end is looked for.
const LINES: usize = 100;

impl Admin {
    /// Waits until the canary of this rollout ([`crate::Deployed::rollout`]) has ended.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn canary_end(&self, module: &str, rollout: &str) -> Result<CanaryEnd, AdminError> {
        let registry = &self.connected.registry;
        let mut changes = registry.watch().await?;
        loop {
            let record = registry.module(module).await?;
            let canary = record.and_then(|record| record.canary);
            if canary.is_none_or(|canary| canary.id != rollout) {
                return self.logged_end(module).await;
            }
            if let Ok(None) = tokio::time::timeout(ASK_EVERY, changes.recv()).await {
                // Nobody will wake this one any more.
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
    }

    async fn logged_end(&self, module: &str) -> Result<CanaryEnd, AdminError> {
        let log = self.audit(LINES).await?;
        let end = log.into_iter().find_map(|entry| {
            if entry.module != module {
                return None;
            }
            match entry.action.as_str() {
                "promote" => Some(CanaryEnd::Promoted(entry)),
                "rollback" => Some(CanaryEnd::RolledBack(entry)),
                _ => None,
            }
        });
        Ok(end.unwrap_or(CanaryEnd::Unknown))
    }
}
