//! The error of a task that wants a say in what happens next: `chicory:task/types` as Rust.
//!
//! Must not know how it reaches the host.

use std::fmt;
use std::time::Duration;

/// Why a task failed, and whether another try makes sense. `?` makes a [`TaskError::Retry`] of any
/// error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskError {
    /// Another try makes sense, when the retry policy says.
    Retry(String),
    /// Another try makes sense, and the task knows when.
    RetryAfter(Postponed),
    /// Never try again, whatever the retry policy says.
    Fatal(String),
}

/// A failure, and how long to wait before the next try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postponed {
    /// What went wrong.
    pub message: String,
    /// How long to wait, in milliseconds.
    pub delay_ms: u64,
}

impl TaskError {
    /// Try again when the retry policy says.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry(reason.to_string())
    }

    /// Try again after `delay`.
    pub fn retry_after(reason: impl fmt::Display, delay: Duration) -> Self {
        Self::RetryAfter(Postponed {
            message: reason.to_string(),
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Never try again.
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

// It is no `std::error::Error` itself, so that this covers all others, as in `anyhow`.
impl<E: std::error::Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}
