//! Logs on stderr: for people on a terminal, JSON lines elsewhere.
//!
//! What is logged has a part in it that guests, producers and servers have written: on a terminal it can't control
//! anything nor look like another line, and in JSON it is escaped. Must not know who logs.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Stderr, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_signature::{printable, printable_json};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::config::Level;

/// Starts logging at `level`. Of other crates nothing is logged, since what their lines mean is said by ours: but at DEBUG.
/// `shared` says that other processes write to the same pipe.
pub(crate) fn start(level: Level, shared: bool) {
    let turn = shared.then(turn).flatten().map(Arc::new);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(level)))
        // By default, a line that can't be written is reported on standard error, which panics if nobody
        // reads that. A worker must outlive the reader of its log, and still handle signals.
        .log_internal_errors(false)
        .with_writer(move || Escaped {
            out: io::stderr(),
            turn: turn.clone(),
        });
    if io::stderr().is_terminal() {
        builder
            .with_writer(io::stderr)
            .with_target(false)
            .compact()
            .fmt_fields(debug_fn(field).delimited(" "))
            .init();
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .init();
    }
}

/// Writes a field of a line for people.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let shown = format!("{value:?}");
    // A line that follows another one stands to the right of where lines begin.
    let shown = printable(&shown).replace('\n', "\n    ");
    match field.name() {
        "message" => writer.write_str(&shown),
        name => write!(writer, "{name}={shown}"),
    }
}

/// Standard error, for lines of JSON.
struct Escaped {
    out: Stderr,
    turn: Option<Arc<File>>,
}

impl Write for Escaped {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A line comes as a whole.
        let text = String::from_utf8_lossy(line);
        let mut out = self.out.lock();
        let turn = self.turn.as_deref().filter(|turn| take(turn));
        let written = out.write_all(printable_json(&text).as_bytes());
        if let Some(turn) = turn {
            let _ = turn.unlock();
        }
        written.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What processes that write to the same pipe lock in turn: a pipe keeps only lines below 4 KiB whole. Opened anew, because
/// those that inherit one share its lock.
fn turn() -> Option<File> {
    File::options().write(true).open("/proc/self/fd/2").ok()
}

/// Waits for the turn, but not for a process that was stopped in the middle of its line.
fn take(turn: &File) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        match turn.try_lock() {
            Ok(()) => return true,
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_micros(50));
            }
            Err(_) => return false,
        }
    }
}

/// More than writing a line takes, unless nobody reads.
const PATIENCE: Duration = Duration::from_millis(100);

fn filter(level: Level) -> &'static str {
    match level {
        Level::Debug => "info,chicory=debug",
        Level::Info => "off,chicory=info",
        Level::Warning => "off,chicory=warn",
        // There is no level above errors, so critical events are logged as errors.
        Level::Error | Level::Critical => "off,chicory=error",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Case M13: what a guest or a producer has written.
    #[test]
    fn m13_a_line_for_people_shows_text_of_strangers_harmlessly() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .compact()
            .fmt_fields(debug_fn(field).delimited(" "))
            .finish();
        let hostile = "a\u{1b}[31mb\u{202e}c\nERROR d\u{9b}2J";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(task = %hostile, plain = hostile, "said {hostile}");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{text:?}");
        assert!(
            text.contains("task=abc") && text.contains("said abc"),
            "{text:?}"
        );
        let mut lines = text.lines().skip(1);
        assert!(lines.all(|line| line.starts_with("    ")), "{text:?}");
    }
}
