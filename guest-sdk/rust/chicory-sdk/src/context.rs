//! What a task may know about its message.
//!
//! Must not know where it comes from.

use std::time::{Duration, SystemTime};

use crate::host::context;

/// The message's id. It is the same at every attempt, so use it as a key for idempotent work.
#[must_use]
pub fn id() -> String {
    context::id()
}

/// The task's name as the producer wrote it.
#[must_use]
pub fn name() -> String {
    context::name()
}

/// The number of retries so far: 0 at the first attempt.
#[must_use]
pub fn retries() -> u32 {
    context::retries()
}

/// The number of retries that the policy allows.
#[must_use]
pub fn max_retries() -> u32 {
    context::max_retries()
}

/// The number of retries left after this attempt.
#[must_use]
pub fn remaining_retries() -> u32 {
    context::remaining_retries()
}

/// Whether this is the last attempt: if it fails, the message is given up on.
#[must_use]
pub fn is_last_retry() -> bool {
    context::is_last_retry()
}

/// When the host will stop this attempt.
#[must_use]
pub fn deadline() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(context::deadline())
}

/// The error of the previous attempt; `None` at the first.
#[must_use]
pub fn last_error() -> Option<String> {
    context::last_error()
}

/// The tenant that the task belongs to, if the fleet has tenants.
#[must_use]
pub fn tenant() -> Option<String> {
    context::tenant()
}
