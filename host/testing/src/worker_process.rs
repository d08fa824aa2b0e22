//! A worker as a process of its own, with its log lines as values; killed in `Drop`.
//!
//! Must not know what a worker does.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use nix::sys::signal::{Signal, killpg};
use serde_json::{Value, json};

use crate::processes::{memory, pid, start_group};
use crate::{PATIENCE, until, until_some};

/// A running worker, or a supervisor with several. It leads a process group, so that none is left over.
#[derive(Debug)]
pub struct WorkerProcess {
    child: Child,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// The lines so far, and the number of streams that may still add lines.
    lines: Mutex<(Vec<Value>, usize)>,
    grown: Condvar,
}

impl WorkerProcess {
    /// Starts the command; its log is read from then on.
    pub fn start(command: Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    /// The same for a command that prints more than its log: standard output is read as well.
    pub fn start_talking(command: Command) -> Self {
        Self::spawn(command, Stdio::piped())
    }

    fn spawn(command: Command, output: Stdio) -> Self {
        let mut child = start_group(command, output);
        let log = Arc::new(Log::default());
        log.read(child.stderr.take().expect("its errors are piped"));
        if let Some(output) = child.stdout.take() {
            log.read(output);
        }
        Self { child, log }
    }

    /// Starts the command with a closed log: each write to it fails.
    pub fn start_unread(command: Command) -> Self {
        let mut child = start_group(command, Stdio::null());
        drop(child.stderr.take());
        let log = Arc::default();
        Self { child, log }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that its process has had so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        memory(self.pid(), "VmHWM").expect("the worker is alive")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        crate::signal(self.pid(), signal).expect("the worker is ours to signal");
    }

    /// Kills it, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("it is our child");
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until_some("the worker's end", || {
            child.try_wait().expect("it is our child")
        })
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.ended();
        assert!(status.success(), "{status}: {}", self.log.tail());
    }

    /// Waits until it serves its queues.
    #[must_use]
    pub fn ready(self) -> Self {
        self.line("serving");
        self
    }

    /// Waits for a line that says `message`.
    pub fn line(&self, message: &str) -> Value {
        self.line_where(message, |line| said(line, message))
    }

    /// Waits for a line that says `message` about the task `id`.
    pub fn line_about(&self, message: &str, id: &str) -> Value {
        let what = format!("{message} about {id}");
        self.line_where(&what, |line| said(line, message) && line["task_id"] == id)
    }

    /// Waits for a line.
    pub fn line_where(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        let mut seen = 0;
        let mut state = self.log.lines.lock().expect("no reader panics");
        loop {
            if let Some(line) = state.0[seen..].iter().find(|line| is_it(line)) {
                return line.clone();
            }
            seen = state.0.len();
            let left = PATIENCE.saturating_sub(begun.elapsed());
            if state.1 == 0 || left.is_zero() {
                drop(state);
                panic!("no log line: {what}; the last ones: {}", self.log.tail());
            }
            state = self
                .log
                .grown
                .wait_timeout(state, left)
                .expect("no reader panics")
                .0;
        }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.log.lines.lock().expect("no reader panics").0.clone()
    }

    /// The number of lines so far that say `message`.
    pub fn count(&self, message: &str) -> usize {
        let lines = self.log.lines.lock().expect("no reader panics");
        lines.0.iter().filter(|line| said(line, message)).count()
    }

    /// The task of each line that says `message`.
    pub fn tasks(&self, message: &str) -> Vec<String> {
        let lines = self.log.lines.lock().expect("no reader panics");
        let about = lines.0.iter().filter(|line| said(line, message));
        about
            .map(|line| line["task_id"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The same, once there are `count`: a task's effects can be seen before its log line is written.
    pub fn tasks_once(&self, message: &str, count: usize) -> Vec<String> {
        until(&format!("{count} lines: {message}"), || {
            self.count(message) >= count
        });
        self.tasks(message)
    }

    /// Waits until all that it wrote has been read; it must have ended.
    pub fn read_to_the_end(&self) {
        until_some("the end of the log", || {
            self.log
                .lines
                .lock()
                .expect("no reader panics")
                .1
                .eq(&0)
                .then_some(())
        });
    }
}

/// The message of a line, where it starts like this.
fn said(line: &Value, message: &str) -> bool {
    line["message"]
        .as_str()
        .is_some_and(|text| text.starts_with(message))
}

/// Fails if a task is named twice.
pub fn assert_each_once(ids: &[String]) {
    let mut seen = HashSet::new();
    let twice: Vec<_> = ids.iter().filter(|id| !seen.insert(id.as_str())).collect();
    assert!(twice.is_empty(), "done more than once: {twice:?}");
}

impl Log {
    /// Reads a stream to its end, on its own thread.
    fn read(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        self.lines.lock().expect("no reader panics").1 += 1;
        let log = Arc::clone(self);
        std::thread::spawn(move || log.fill(stream));
    }

    fn fill(&self, stream: impl Read) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let value = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "text": line }));
            self.lines.lock().expect("no reader panics").0.push(value);
            self.grown.notify_all();
        }
        self.lines.lock().expect("no reader panics").1 -= 1;
        self.grown.notify_all();
    }

    fn tail(&self) -> String {
        let lines = self.lines.lock().expect("no reader panics");
        let last = &lines.0[lines.0.len().saturating_sub(15)..];
        let texts: Vec<String> = last.iter().map(Value::to_string).collect();
        texts.join("\n  ")
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Fails if the whole group has ended.
        let _ = killpg(pid(self.pid()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
