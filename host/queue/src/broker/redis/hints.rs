//! Hints: messages on channels that spare others the time until they look themselves.
//!
//! They are optional everywhere. A user without the right to publish or to subscribe loses seconds and no message, and is
//! told once which right is missing. Must not know what hints are about.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::RedisError;

use super::fault::is_no_permission;

/// Who may hint, as far as the server has said.
#[derive(Debug)]
pub(super) struct Hints {
    /// What an ACL user needs in order to publish and subscribe.
    rights: String,
    refused: AtomicBool,
}

impl Hints {
    /// Hints on channels that start with one of these prefixes.
    pub(super) fn new(prefixes: &[&str]) -> Self {
        let channels = prefixes.iter().map(|prefix| format!("&{prefix}:* "));
        Self {
            rights: channels.collect::<String>()
                + "+publish +subscribe +unsubscribe +pubsub|numsub",
            refused: AtomicBool::new(false),
        }
    }

    /// Notes a script's or a command's word on its hints; says once that they are refused.
    pub(super) fn note(&self, refused: bool) {
        if refused && !self.refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                add_to_user = %self.rights,
                "the user may not publish or subscribe on Redis: nothing is lost, but waits, retries, delayed tasks and deploys can be up to a second late; add these rights with ACL SETUSER"
            );
        }
    }

    /// Whether the error refuses a hint or a subscription, which is noted.
    pub(super) fn refuses(&self, error: &RedisError) -> bool {
        let refused = is_no_permission(error);
        self.note(refused);
        refused
    }
}
