//! What the end of an attempt means for the queue.
//!
//! Must not know how the attempt ended in the runtime's terms: the worker translates those.

use std::time::Duration;

use chicory_signature::{MAX_NAME, MAX_TEXT, into_excerpt};

/// The outcome of one attempt, as the queue sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The task is done.
    Completed {
        /// What it returned, as JSON.
        result: String,
    },
    /// The task failed, or could not be started.
    Failed(Failure),
    /// The worker stopped the attempt for reasons of its own: no retry is counted.
    Interrupted,
    /// Nothing has run, and another worker, or this one later, may be able to run it: no retry is counted.
    Postponed {
        /// When it is tried again.
        after: Duration,
    },
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The error's stable name, which `retry_on` and `ignore_on` match.
    pub name: String,
    /// What happened, for a human reader.
    pub message: String,
    /// The guest's backtrace, if there is one.
    pub traceback: Option<String>,
    /// What the failure itself says about a retry.
    pub advice: Advice,
}

impl Failure {
    /// A failure without a backtrace, whose retry the policy decides.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            message: message.into(),
            traceback: None,
            advice: Advice::Policy,
        }
    }

    /// The same with its texts cut to what is kept: a name of 256 bytes, and a message and a backtrace of 16 KiB each.
    /// A text that was cut ends with its full length.
    #[must_use]
    pub fn cut(self) -> Self {
        Self {
            name: into_excerpt(self.name, MAX_NAME),
            message: into_excerpt(self.message, MAX_TEXT),
            traceback: self.traceback.map(|text| into_excerpt(text, MAX_TEXT)),
            advice: self.advice,
        }
    }

    /// `Name: message`, as stored in dead letters and results.
    pub fn describe(&self) -> String {
        if self.message.is_empty() {
            self.name.clone()
        } else {
            format!("{}: {}", self.name, self.message)
        }
    }
}

/// What a failure says about a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing: the policy decides.
    Policy,
    /// Retry after this delay, if the policy still has retries.
    After(Duration),
    /// Never retry.
    Never,
}
