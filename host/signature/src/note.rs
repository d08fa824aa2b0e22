//! What a running task says: log lines and progress.
//!
//! Must not know who listens.

use serde::Serialize;

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
