//! A task's log while it runs: its own lines, its output on stdout and stderr, and the host's remarks. Its
//! size is limited, and it has no control characters.
//!
//! Must not know where the log goes afterwards.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use chicory_signature::{
    CommandOutput, MAX_TEXT, excerpt, into_excerpt, printable, printable_up_to,
};
use serde_json::value::RawValue;

use crate::ended::{Level, LogLine, LogSource, Note, Observer};
use crate::limits::ResolvedLimits;

/// What a line counts besides its text: about what keeping it takes, so that empty lines are not free.
const LINE_COST: u64 = 64;

/// Progress reports that follow each other faster than this are dropped.
const PROGRESS_GAP: Duration = Duration::from_millis(50);

/// Maximum length of a progress message, in bytes.
const PROGRESS_BYTES: usize = 4096;

/// How much of the end of a program's output an error shows, in bytes.
const TAIL: usize = 2048;

/// Which of its standard streams a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

fn line_cost(line: &str) -> u64 {
    line.len().min(MAX_TEXT) as u64 + LINE_COST
}

/// The log of one call.
pub(crate) struct CallLog {
    lines: Vec<LogLine>,
    observer: Option<Observer>,
    log: Budget,
    output: Budget,
    partial: [Vec<u8>; 2],
    /// A command's stdout is its result, and not part of the log.
    result: Option<Collected>,
    reported: Option<Instant>,
    denied: Option<String>,
    /// Bytes that were added since `grown` was asked.
    grown: u64,
}

struct Budget {
    left: u64,
    exceeded: bool,
}

impl Budget {
    fn new(left: u64) -> Self {
        Budget {
            left,
            exceeded: false,
        }
    }

    fn take(&mut self, bytes: u64) -> bool {
        let taken = self.left.checked_sub(bytes);
        self.left = taken.unwrap_or(0);
        self.exceeded |= taken.is_none();
        taken.is_some()
    }
}

struct Collected {
    bytes: Vec<u8>,
    budget: Budget,
    output: CommandOutput,
}

impl CallLog {
    /// An empty log. With `collects`, stdout is kept whole as the result, up to `result_bytes`.
    pub(crate) fn new(limits: &ResolvedLimits, observer: Option<Observer>, collects: bool) -> Self {
        CallLog {
            lines: Vec::new(),
            observer,
            log: Budget::new(limits.log_bytes),
            output: Budget::new(limits.output_bytes),
            partial: [Vec::new(), Vec::new()],
            result: collects.then(|| Collected {
                bytes: Vec::new(),
                budget: Budget::new(limits.result_bytes),
                output: CommandOutput::default(),
            }),
            reported: None,
            denied: None,
            grown: 0,
        }
    }

    /// How many bytes were added since this was asked last.
    pub(crate) fn grown(&mut self) -> u64 {
        std::mem::take(&mut self.grown)
    }

    /// Takes no more, as if all its limits were reached.
    pub(crate) fn close(&mut self) {
        let result = self.result.as_mut().map(|result| &mut result.budget);
        for budget in [&mut self.log, &mut self.output].into_iter().chain(result) {
            budget.left = 0;
        }
    }

    /// Adds what the guest logged through `chicory:task/log`.
    pub(crate) fn say(&mut self, level: Level, message: &str) {
        for line in message.lines() {
            if !self.log.take(line_cost(line)) {
                return;
            }
            self.add(level, LogSource::Guest, line);
        }
    }

    /// Adds what the guest wrote to a standard stream. Lines appear once they are complete.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if let (Stream::Stdout, Some(result)) = (stream, &mut self.result) {
            if result.budget.take(bytes.len() as u64) {
                self.grown += bytes.len() as u64;
                result.bytes.extend_from_slice(bytes);
            }
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self
                .output
                .take(piece.len() as u64 + u64::from(piece == b"\n") * LINE_COST)
            {
                return;
            }
            self.partial[stream as usize].extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line(stream);
            }
        }
    }

    /// Reports progress to the observer.
    pub(crate) fn progress(&mut self, percent: f64, message: Option<&str>) {
        let Some(observer) = &self.observer else {
            return;
        };
        let percent = if percent.is_nan() {
            0.0
        } else {
            percent.clamp(0.0, 100.0)
        };
        let now = Instant::now();
        let early = self
            .reported
            .is_some_and(|last| now.duration_since(last) < PROGRESS_GAP);
        if early && percent < 100.0 {
            return;
        }
        self.reported = Some(now);
        observer(Note::Progress {
            percent,
            message: message.map(|text| printable_up_to(text, PROGRESS_BYTES).replace('\n', " ")),
        });
    }

    /// Records that the guest was refused something, with the line that would grant it.
    pub(crate) fn deny(&mut self, message: String) {
        let message = into_excerpt(message, MAX_TEXT);
        self.say_as_host(Level::Warn, &message);
        self.denied.get_or_insert(message);
    }

    /// The first thing that the guest was refused.
    pub(crate) fn denied(&self) -> Option<&str> {
        self.denied.as_deref()
    }

    /// The guest's last words about an error: error lines in its log, or lines on stderr. Usually a panic's
    /// message.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        const MOST: usize = 8;
        self.end_line(Stream::Stderr);
        let said = |line: &&LogLine| match line.source {
            LogSource::Guest => line.level == Level::Error,
            source => source == LogSource::Stderr,
        };
        let lines = self.lines.iter().rev().take_while(said).take(MOST);
        let mut lines: Vec<_> = lines.map(|line| line.message.as_str()).collect();
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Says what a command's stdout becomes.
    pub(crate) fn collect_as(&mut self, output: CommandOutput) {
        if let Some(result) = &mut self.result {
            result.output = output;
        }
    }

    /// A command's stdout as JSON, or nothing if it was larger than the result may be.
    pub(crate) fn result(&self) -> Option<Box<RawValue>> {
        let result = self.result.as_ref()?;
        (!result.budget.exceeded).then(|| result.output.json(&result.bytes))
    }

    /// The ends of a command's stdout and stderr.
    pub(crate) fn tails(&mut self) -> (String, String) {
        self.end_line(Stream::Stderr);
        let stdout = self.result.as_ref().map_or(&[][..], |result| &result.bytes);
        let stdout = &stdout[stdout.len().saturating_sub(TAIL)..];
        let mut stderr = Vec::new();
        let mut left = TAIL;
        for line in self
            .lines
            .iter()
            .rev()
            .filter(|line| line.source == LogSource::Stderr)
        {
            let Some(less) = left.checked_sub(line.message.len()) else {
                break;
            };
            left = less;
            stderr.push(line.message.as_str());
        }
        stderr.reverse();
        (printable(&legible(stdout)).into_owned(), stderr.join("\n"))
    }

    /// The finished log.
    pub(crate) fn finish(&mut self) -> Vec<LogLine> {
        self.end_line(Stream::Stdout);
        self.end_line(Stream::Stderr);
        for (budget, name) in [(&self.log, "log_bytes"), (&self.output, "output_bytes")] {
            if budget.exceeded {
                let message = format!("what was above the limit {name} was dropped");
                self.lines.push(LogLine {
                    level: Level::Warn,
                    source: LogSource::Host,
                    message,
                });
            }
        }
        std::mem::take(&mut self.lines)
    }

    fn end_line(&mut self, stream: Stream) {
        let bytes = std::mem::take(&mut self.partial[stream as usize]);
        if bytes.is_empty() {
            return;
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let (level, source) = match stream {
            Stream::Stdout => (Level::Info, LogSource::Stdout),
            Stream::Stderr => (Level::Warn, LogSource::Stderr),
        };
        self.add(level, source, &legible(line));
    }

    /// Adds a remark of the host.
    pub(crate) fn say_as_host(&mut self, level: Level, message: &str) {
        for line in message.lines() {
            if !self.log.take(line_cost(line)) {
                return;
            }
            self.add(level, LogSource::Host, line);
        }
    }

    fn add(&mut self, level: Level, source: LogSource, text: &str) {
        let line = LogLine {
            level,
            source,
            message: printable(&excerpt(text, MAX_TEXT)).into_owned(),
        };
        if let Some(observer) = &self.observer {
            observer(Note::Log(line.clone()));
        }
        self.grown += line_cost(&line.message);
        self.lines.push(line);
    }
}

/// Bytes as text, with `\\x89` for a byte that is not UTF-8.
fn legible(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut legible = String::with_capacity(2 * bytes.len());
    for chunk in bytes.utf8_chunks() {
        legible.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(legible, "\\x{byte:02x}");
        }
    }
    legible.into()
}
