//! The way to the host: `chicory:task` in WebAssembly, the test's stand-in elsewhere.
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

/// What is done before a task's first line: its log works, and a panic says where it was.
pub fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // Fails where the author has a logger already, which is then the one that is wanted.
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

/// The `log` crate's way into the task's log.
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
