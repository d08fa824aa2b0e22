//! Logs on stderr: for people on a terminal, JSON lines elsewhere.
//!
//! Must not know who logs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Level;

/// Starts logging at `level`. Third-party libraries log at the next higher level.
pub(crate) fn start(level: Level) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(level)))
        // By default, a line that can't be written is reported on standard error, which panics if nobody
        // reads that. A worker must outlive the reader of its log, and still handle signals.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).compact().init();
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .init();
    }
}

fn filter(level: Level) -> &'static str {
    match level {
        Level::Debug => {
            "info,chicory=debug,chicory_queue=debug,chicory_runtime=debug,chicory_worker=debug"
        }
        Level::Info => {
            "warn,chicory=info,chicory_queue=info,chicory_runtime=info,chicory_worker=info"
        }
        Level::Warning => "warn",
        // There is no level above errors, so critical events are logged as errors.
        Level::Error | Level::Critical => "error",
    }
}
