//! A run of the program that has ended: its exit code and what it printed.
//!
//! Must not know which command it was.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::{PATIENCE, until_some_within};

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs the command to its end.
    pub fn of(command: Command, input: &[u8]) -> Self {
        Self::within(PATIENCE, command, input)
    }

    /// The same with its own time limit, for compilers.
    pub fn within(patience: Duration, mut command: Command, input: &[u8]) -> Self {
        let line = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let stdout = read(child.stdout.take());
        let stderr = read(child.stderr.take());
        let mut stdin = child.stdin.take().expect("its input is piped");
        // A program may exit before it has read everything.
        let _ = stdin.write_all(input);
        drop(stdin);
        let mut child = KilledInDrop(child);
        let what = format!("the end of chicory {line}");
        let status = until_some_within(patience, &what, || {
            child.0.try_wait().expect("it is our child")
        });
        Self {
            line,
            code: status.code(),
            stdout: stdout.join().expect("its output is read"),
            stderr: stderr.join().expect("its errors are read"),
        }
    }

    /// What a successful run printed, without the last line break.
    pub fn ok(&self) -> &str {
        self.code(0);
        self.stdout.trim_end()
    }

    /// What a run that failed with this exit code printed about it.
    pub fn fails(&self, code: i32) -> &str {
        assert_ne!(code, 0, "a failure has another code");
        self.code(code);
        assert!(!self.stderr.trim().is_empty(), "{self:?} says nothing");
        &self.stderr
    }

    /// What a successful run printed, as JSON.
    pub fn json(&self) -> Value {
        json(self.ok())
    }

    fn code(&self, expected: i32) {
        let Self {
            line,
            code,
            stdout,
            stderr,
        } = self;
        assert_eq!(
            *code,
            Some(expected),
            "chicory {line}\nstdout: {stdout}\nstderr: {stderr}"
        );
    }
}

/// Reads a text that must be JSON.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// A test that gives up waiting leaves no process behind.
struct KilledInDrop(Child);

impl Drop for KilledInDrop {
    fn drop(&mut self) {
        // Both fail if the program has ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut stream = stream.expect("the stream is piped");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
