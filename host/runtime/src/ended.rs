//! How a call ended, in the runtime's terms, with what it used and what it logged.
//!
//! Must not know what an ending means for a queue: whether to retry is decided elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use chicory_signature::{Level, LogLine, LogSource, Note, Usage};
use chicory_signature::{MAX_NAME, MAX_TEXT, ValidationError, into_excerpt};
use serde_json::value::RawValue;

/// The report of one finished call.
#[derive(Debug)]
pub struct Ended {
    /// The ending itself.
    pub how: How,
    /// What the call used, however it ended.
    pub usage: Usage,
    /// The task's log: its own lines, and what it wrote to stdout and stderr, in order.
    pub log: Vec<LogLine>,
}

/// The ways in which a call can end. What a guest does is a value, never an `Err`. Its texts have at most 16 KiB each,
/// names at most 256 bytes; longer ones are cut, and end with their length.
#[derive(Debug)]
pub enum How {
    /// The task returned; its result as JSON.
    Returned(Box<RawValue>),
    /// The task returned an error of its own.
    Refused {
        /// The guest's own case name in WIT's spelling, the name in its
        /// `chicory:task/types.failure`, or `TaskError`.
        name: String,
        /// The guest's description of it.
        message: String,
        /// Where in the guest's source it happened, if the guest says where.
        traceback: Option<String>,
        /// The guest's advice about retrying.
        retry: Advice,
        /// The whole error as JSON; `null` if that is longer than 16 KiB.
        details: Box<RawValue>,
    },
    /// A command-line program ended with an exit code other than 0.
    Exited {
        /// The exit code. WASI 0.2 has only 0 and 1; any other code of a program becomes 1.
        code: i32,
        /// The end of what it wrote to stdout.
        stdout: String,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// The guest trapped.
    Trapped {
        /// The cause, and a backtrace with the guest's function names.
        message: String,
    },
    /// The wall clock passed the task's `timeout`.
    TimedOut {
        /// The limit in force.
        limit: Duration,
        /// Where the guest was, as a backtrace, if it was computing rather than waiting.
        backtrace: Option<String>,
    },
    /// The task computed for longer than its `cpu_time`.
    OutOfCpu {
        /// The limit in force.
        limit: Duration,
        /// Where the guest was, as a backtrace.
        backtrace: Option<String>,
    },
    /// The task used up its `fuel`.
    OutOfFuel {
        /// The limit in force, in units of the engine's fuel (about one per instruction).
        limit: u64,
    },
    /// The guest failed after it was refused memory or table elements.
    OutOfMemory {
        /// Which limit stopped it, and how the guest failed.
        message: String,
    },
    /// The arguments don't fit the task's parameters.
    Invalid(ValidationError),
    /// Arguments or result are larger than their limit.
    TooLarge {
        /// What is too large: `arguments` or `result`.
        what: &'static str,
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// The guest failed after it was refused something that it was not granted.
    Denied {
        /// What was refused, and the manifest line that would grant it.
        message: String,
    },
    /// The caller cancelled the call.
    Cancelled,
    /// The host could not do its work. Nothing is known about the task.
    HostFailed(String),
}

/// A guest's advice about retrying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Advice {
    /// None: the retry policy decides.
    #[default]
    Policy,
    /// Retry, after this delay if one is given.
    RetryAfter(Option<Duration>),
    /// Never retry.
    Never,
}

impl How {
    /// The error's stable name, which retry policies match and dead letters carry. `None` if the task
    /// returned.
    pub fn error_name(&self) -> Option<&str> {
        Some(match self {
            How::Returned(_) => return None,
            How::Refused { name, .. } => name,
            How::Exited { .. } => "TaskError",
            How::Trapped { .. } => "Trap",
            How::TimedOut { .. } | How::OutOfCpu { .. } => "Timeout",
            How::OutOfFuel { .. } => "OutOfFuel",
            How::OutOfMemory { .. } => "OutOfMemory",
            How::Invalid(_) | How::TooLarge { .. } => "ValidationError",
            How::Denied { .. } => "CapabilityDenied",
            How::Cancelled => "Cancelled",
            How::HostFailed(_) => "HostFailed",
        })
    }

    /// The same with texts that are short enough to be kept.
    pub(crate) fn cut(mut self) -> Self {
        for text in self.texts() {
            *text = into_excerpt(std::mem::take(text), MAX_TEXT);
        }
        if let How::Refused { name, .. } = &mut self {
            *name = into_excerpt(std::mem::take(name), MAX_NAME);
        }
        self
    }

    /// Every text that a guest may have a part in.
    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            How::Refused {
                message, traceback, ..
            } => std::iter::once(message).chain(traceback).collect(),
            How::Exited { stdout, stderr, .. } => vec![stdout, stderr],
            How::Trapped { message } | How::OutOfMemory { message } | How::Denied { message } => {
                vec![message]
            }
            How::TimedOut { backtrace, .. } | How::OutOfCpu { backtrace, .. } => {
                backtrace.iter_mut().collect()
            }
            How::HostFailed(text) => vec![text],
            How::Returned(_)
            | How::OutOfFuel { .. }
            | How::Invalid(_)
            | How::TooLarge { .. }
            | How::Cancelled => Vec::new(),
        }
    }

    /// The ending for people: a sentence, followed by a backtrace if there is one.
    pub fn message(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Returned(_) => f.write_str("returned"),
            How::Refused { message, .. }
            | How::Trapped { message }
            | How::OutOfMemory { message }
            | How::Denied { message } => f.write_str(message),
            How::Exited { code, stderr, .. } => {
                write!(f, "exit code {code}")?;
                match stderr.trim_end() {
                    "" => Ok(()),
                    text => write!(f, ": {text}"),
                }
            }
            How::TimedOut { limit, backtrace } => {
                write!(f, "stopped after its timeout of {limit:?}")?;
                write_below(f, backtrace.as_deref())
            }
            How::OutOfCpu { limit, backtrace } => {
                write!(f, "stopped after using its cpu_time of {limit:?}")?;
                write_below(f, backtrace.as_deref())
            }
            How::OutOfFuel { limit } => write!(f, "stopped after using its fuel of {limit} units"),
            How::Invalid(error) => error.fmt(f),
            How::TooLarge { what, limit } => {
                write!(f, "{what}: larger than the limit of {limit} bytes")
            }
            How::Cancelled => f.write_str("cancelled"),
            How::HostFailed(message) => write!(f, "the host failed: {message}"),
        }
    }
}

fn write_below(f: &mut fmt::Formatter<'_>, backtrace: Option<&str>) -> fmt::Result {
    backtrace.map_or(Ok(()), |text| write!(f, "\n{text}"))
}

/// Called for each [`Note`], on the sandbox's thread: it must be quick, and must not block.
pub type Observer = Arc<dyn Fn(Note) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_have_stable_names_and_sentences() {
        let exited = How::Exited {
            code: 3,
            stdout: String::new(),
            stderr: "no such file\n".into(),
        };
        assert_eq!(exited.error_name(), Some("TaskError"));
        assert_eq!(exited.message(), "exit code 3: no such file");
        let late = How::TimedOut {
            limit: Duration::from_millis(1500),
            backtrace: None,
        };
        assert_eq!(late.error_name(), Some("Timeout"));
        assert_eq!(late.message(), "stopped after its timeout of 1.5s");
    }
}
