//! A worker as a process: what of its log matters for the account, and its memory over time.
//!
//! Must not keep the log: a flood of lines is counted, not stored.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chicory_testing::{memory, start_group};
use nix::sys::signal::Signal;
use serde_json::Value;

/// What a worker has said and taken.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// When a task's last attempt had been settled, and its id.
    pub completed: Vec<(Instant, String)>,
    /// Lines about tasks, by message.
    pub about_tasks: BTreeMap<String, u64>,
    /// All other lines, by message.
    pub others: BTreeMap<String, u64>,
    /// Resident memory over time, in bytes.
    pub memory: Vec<(Instant, u64)>,
    /// The last lines.
    pub last: VecDeque<String>,
}

/// The messages of a task's last attempt.
const COMPLETED: [&str; 3] = [
    "done",
    "failed, and dead-lettered",
    "failed, and given up on",
];
/// How many lines are kept for an error's text.
const LAST: usize = 8;

/// A running worker, killed in `Drop`.
#[derive(Debug)]
pub struct Process {
    child: Child,
    journal: Arc<Mutex<Journal>>,
}

impl Process {
    /// Starts the command, and reads its log from then on.
    ///
    /// `log` is where its lines are kept as well, for whoever looks for the cause of something.
    pub fn start(command: Command, log: Option<PathBuf>) -> Self {
        let mut child = start_group(command, Stdio::null());
        let errors = child.stderr.take().expect("its errors are piped");
        let journal = Arc::new(Mutex::new(Journal::default()));
        let written = Arc::clone(&journal);
        std::thread::spawn(move || {
            let mut file = log.map(|path| File::create(path).expect("the log's folder exists"));
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if let Some(file) = &mut file {
                    let _ = writeln!(file, "{line}");
                }
                lock(&written).note(line);
            }
        });
        Self { child, journal }
    }

    /// Sends it a signal; it may have ended.
    pub fn signal(&self, signal: Signal) {
        let _ = chicory_testing::signal(self.child.id(), signal);
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended, and how.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Waits for its end; `None` if it takes longer.
    pub fn ends_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            let ended = self.has_ended();
            if ended.is_some() || begun.elapsed() > patience {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Notes how much memory it has now.
    pub fn measure(&self) {
        if let Some(bytes) = memory(self.child.id(), "VmRSS") {
            lock(&self.journal).memory.push((Instant::now(), bytes));
        }
    }

    /// What it has said and taken so far.
    pub fn journal(&self) -> Journal {
        lock(&self.journal).clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Journal {
    fn note(&mut self, line: String) {
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        // A line that is not JSON counts by its first words.
        let message = match value["message"].as_str() {
            Some(message) => message.to_owned(),
            None => line.chars().take(60).collect(),
        };
        let about = match value["task_id"].as_str() {
            Some(id) => {
                if COMPLETED.contains(&message.as_str()) {
                    self.completed.push((Instant::now(), id.to_owned()));
                }
                &mut self.about_tasks
            }
            None => &mut self.others,
        };
        *about.entry(message).or_default() += 1;
        if value["task_id"].is_null() {
            self.last.push_back(line);
        }
        if self.last.len() > LAST {
            self.last.pop_front();
        }
    }
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}
