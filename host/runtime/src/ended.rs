//! How a call ended, in the runtime's terms, with what it used and what it logged.
//!
//! Must not know what an ending means for a queue: whether to retry is decided elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chicory_signature::ValidationError;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
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

/// The ways in which a call can end. What a guest does is a value, never an `Err`.
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
        /// The whole error as JSON.
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

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the start of the call to its end.
    pub wall: Duration,
    /// The part of `wall` that the sandbox spent on a thread, without waiting.
    pub cpu: Duration,
    /// The peak of the guest's memories together, in bytes.
    pub peak_memory: u64,
    /// Fuel used, where the task has a fuel limit.
    pub fuel: Option<u64>,
}

/// As `wall_ms`, `cpu_ms`, `peak_memory_bytes`, and `fuel` if it was counted.
impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if self.fuel.is_some() { 4 } else { 3 };
        let mut out = serializer.serialize_struct("Usage", fields)?;
        out.serialize_field("wall_ms", &milliseconds(self.wall))?;
        out.serialize_field("cpu_ms", &milliseconds(self.cpu))?;
        out.serialize_field("peak_memory_bytes", &self.peak_memory)?;
        match self.fuel {
            Some(fuel) => out.serialize_field("fuel", &fuel)?,
            None => out.skip_field("fuel")?,
        }
        out.end()
    }
}

/// Milliseconds with three decimal places.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// One line of a task's log, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its severity.
    pub level: Level,
    /// Where it came from.
    pub source: LogSource,
    /// The text, without a line break.
    pub message: String,
}

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual five")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Where a log line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// `chicory:task/log`.
    Guest,
    /// A line that the guest wrote to its standard output.
    Stdout,
    /// A line that the guest wrote to its standard error.
    Stderr,
    /// The host, about the call.
    Host,
}

/// What a running call tells its observer.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A line was added to the log.
    Log(LogLine),
    /// The task reported its progress.
    Progress {
        /// From 0 to 100.
        percent: f64,
        /// The task's message about it, without control characters.
        message: Option<String>,
    },
}

/// Called for each [`Note`], on the sandbox's thread: it must be quick, and must not block.
pub type Observer = Arc<dyn Fn(Note) + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_written_in_milliseconds_and_bytes() {
        let usage = Usage {
            wall: Duration::from_micros(12_345),
            cpu: Duration::from_micros(1500),
            peak_memory: 65_536,
            fuel: None,
        };
        let json = serde_json::to_string(&usage).unwrap();
        assert_eq!(
            json,
            r#"{"wall_ms":12.345,"cpu_ms":1.5,"peak_memory_bytes":65536}"#
        );
    }

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
