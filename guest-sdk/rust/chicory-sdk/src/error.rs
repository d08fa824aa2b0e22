//! The error of a task that decides what happens next: `chicory:task/types` in Rust.
//!
//! Must not know how it reaches the host.

use std::fmt;
use std::time::Duration;

/// Why a task failed, and whether it is retried. `?` turns any error into a
/// [`TaskError::Retry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskError {
    /// Retried when the retry policy says.
    Retry(String),
    /// Retried after a delay that the task sets.
    RetryAfter(Postponed),
    /// Never retried, whatever the retry policy says.
    Fatal(String),
}

/// A failure, and how long to wait before the next attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postponed {
    /// What went wrong.
    pub message: String,
    /// How long to wait, in milliseconds.
    pub delay_ms: u64,
}

impl TaskError {
    /// A failure that is retried when the retry policy says.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry(reason.to_string())
    }

    /// A failure that is retried after `delay`.
    pub fn retry_after(reason: impl fmt::Display, delay: Duration) -> Self {
        Self::RetryAfter(Postponed {
            message: reason.to_string(),
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// A failure that is never retried.
    pub fn fatal(reason: impl fmt::Display) -> Self {
        Self::Fatal(reason.to_string())
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry(message) | Self::Fatal(message) => f.write_str(message),
            Self::RetryAfter(postponed) => f.write_str(&postponed.message),
        }
    }
}

// `TaskError` doesn't implement `std::error::Error`, so that this can cover all types that do, as in `anyhow`.
impl<E: std::error::Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}
