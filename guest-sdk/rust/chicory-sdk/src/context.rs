//! What a task may know about the message that it works on.
//!
//! Must not know where it comes from.

use std::time::{Duration, SystemTime};

use crate::host::context;

/// The message's id, the same at every try: a key for idempotent work.
#[must_use]
pub fn id() -> String {
    context::id()
}

/// The task's name as the producer wrote it.
#[must_use]
pub fn name() -> String {
    context::name()
}

/// How often this message was retried before: 0 at the first try.
#[must_use]
pub fn retries() -> u32 {
    context::retries()
}

/// How many retries the policy allows.
#[must_use]
pub fn max_retries() -> u32 {
    context::max_retries()
}

/// How many retries are left after this try.
#[must_use]
pub fn remaining_retries() -> u32 {
    context::remaining_retries()
}

/// Whether the message is given up on if this try fails.
#[must_use]
pub fn is_last_retry() -> bool {
    context::is_last_retry()
}

/// When the host will stop this try.
#[must_use]
pub fn deadline() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(context::deadline())
}

/// The error of the try before; none at the first.
#[must_use]
pub fn last_error() -> Option<String> {
    context::last_error()
}

/// The tenant that the task belongs to, where the fleet has tenants.
#[must_use]
pub fn tenant() -> Option<String> {
    context::tenant()
}
