//! Hints: messages on channels that tell others of a change before they would look for it themselves.
//!
//! They are optional everywhere. A user without the right to publish or subscribe loses seconds but no message, and is
//! told once which right is missing. Must not know what hints are about.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::RedisError;

use super::fault::is_no_permission;

/// Whether hints are allowed, as far as the server has said.
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

    /// Notes whether a script or a command was refused a hint; logs once that hints are refused.
    pub(super) fn note(&self, refused: bool) {
        if refused && !self.refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                add_to_user = %self.rights,
                "the user may not publish or subscribe on Redis: nothing is lost, but results, retries, delayed tasks and deploys can be noticed up to a second late; add these rights with ACL SETUSER"
            );
        }
    }

    /// Whether the error refuses a hint or a subscription; if so, that is noted.
    pub(super) fn refuses(&self, error: &RedisError) -> bool {
        let refused = is_no_permission(error);
        self.note(refused);
        refused
    }
}
