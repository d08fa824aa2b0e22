//! Access to the host: `chicory:task` in WebAssembly, the test's fake host elsewhere.
//!
//! Must not know what a task does with it.

use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::{context, progress, write};
#[cfg(target_arch = "wasm32")]
pub(crate) use imported::{context, progress, write};

#[cfg(target_arch = "wasm32")]
mod imported {
    use self::chicory::task::log::Level;

    wit_bindgen::generate!({ path: "wit", world: "chicory:task/imports", generate_all });

    pub(crate) use self::chicory::task::context;
    pub(crate) use self::chicory::task::progress::report as progress;

    pub(crate) fn write(level: log::Level, message: &str) {
        let level = match level {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self::chicory::task::log::write(level, message);
    }
}

/// Runs before a task: sets up the log, and makes panics report their position.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // Fails if the author has set a logger already; that one is used then.
        if log::set_logger(&TaskLog).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
        #[cfg(target_arch = "wasm32")]
        std::panic::set_hook(Box::new(|panic| {
            let message = panic
                .payload_as_str()
                .unwrap_or("with a value that is no text");
            let place = panic
                .location()
                .map(|at| format!(" at {at}"))
                .unwrap_or_default();
            write(log::Level::Error, &format!("panicked{place}: {message}"));
        }));
    });
}

/// Passes the `log` crate's lines to the task's log.
struct TaskLog;

impl Log for TaskLog {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        write(record.level(), &record.args().to_string());
    }

    fn flush(&self) {}
}
