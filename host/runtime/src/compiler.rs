//! Compiling in a separate process, from the caller's side: starts the process, hands it the module, and
//! kills it when its time is up. So a module whose compilation explodes doesn't take the host's memory, nor a
//! processor for longer than the limit, and a bug in the compiler doesn't end the host.
//!
//! Must not know what is compiled. The other end is [`crate::confined`].

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::compile::{NotCompiled, Produced, Terms};
use crate::features::{Features, Needs};
use crate::wrap::Form;

/// The exit code when the module is at fault; the reason is on stderr.
pub(crate) const REFUSED: u8 = 10;
/// The exit code when the memory was not enough.
pub(crate) const OUT_OF_MEMORY: u8 = 11;
/// Maximum size of the machine code. A large language runtime has 60 MiB.
pub(crate) const MAX_CODE: u64 = 512 << 20;
/// Maximum number of bytes read from the process's stderr.
const MAX_WORDS: u64 = 16 << 10;

/// A program that compiles modules for this sandbox: one that calls [`crate::serve_compiler`].
///
/// ```no_run
/// use chicory_runtime::{Compiler, Sandbox, SandboxConfig};
///
/// // This program calls `serve_compiler` when its first argument is `compile`.
/// let compiler = Compiler {
///     program: std::env::current_exe()?,
///     args: vec!["compile".into()],
///     max_memory: 2 << 30,
/// };
/// let sandbox = Sandbox::new(SandboxConfig {
///     compiler: Some(compiler),
///     ..SandboxConfig::default()
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program. It must be of the same build as this one, because it makes code for this one's engine.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its memory limit, in bytes.
    pub max_memory: u64,
}

/// What the process is told, as one line of JSON, before the module. It answers with the machine code and a
/// last byte that says what the code is for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The code counts fuel.
    pub(crate) fuel: bool,
    /// Files and lines are kept for backtraces.
    pub(crate) source_lines: bool,
    /// What the module may use.
    pub(crate) features: Features,
    /// Bytes.
    pub(crate) max_memory: u64,
    /// CPU seconds, summed over its threads, after which the kernel ends it.
    pub(crate) cpu_seconds: u64,
}

/// The process; killed and waited for when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Half of the processors; the other half is left to tasks.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, |all| (all.get() / 2).max(1))
}

impl Compiler {
    /// Compiles `wasm`, within `cpu` (summed over all threads) and before `deadline`.
    pub(crate) fn run(
        &self,
        wasm: &[u8],
        terms: Terms,
        cpu: Duration,
        deadline: Instant,
    ) -> Result<Produced, NotCompiled> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NotCompiled::TooSlow);
        }
        let order = Order {
            fuel: terms.fuel,
            source_lines: terms.source_lines,
            features: terms.features,
            max_memory: self.max_memory,
            cpu_seconds: cpu.as_secs() + u64::from(cpu.subsec_nanos() > 0),
        };
        let process = self.start().map_err(|error| {
            let program = self.program.display();
            NotCompiled::Refused(format!(
                "it can't be compiled: can't start {program} for that: {error}"
            ))
        })?;
        converse(process, &order, wasm, left)
    }

    /// Starts it without this process's environment, which may contain secrets.
    fn start(&self) -> io::Result<Process> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .env("RAYON_NUM_THREADS", threads().to_string())
            // Otherwise this allocator starts by reserving a GiB, which the limit counts whether it is used
            // or not.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().map(Process)
    }
}

fn converse(
    mut process: Process,
    order: &Order,
    wasm: &[u8],
    patience: Duration,
) -> Result<Produced, NotCompiled> {
    let pipes = "its streams are piped";
    let stdin = process.0.stdin.take().expect(pipes);
    let stdout = process.0.stdout.take().expect(pipes);
    let stderr = process.0.stderr.take().expect(pipes);
    thread::scope(|scope| {
        // If it doesn't read all of the module, its exit status says why.
        scope.spawn(move || drop(feed(stdin, order, wasm)));
        let words = scope.spawn(move || read(stderr, MAX_WORDS));
        let (sender, answer) = mpsc::channel();
        scope.spawn(move || sender.send(read(stdout, MAX_CODE + 1)));
        let answer = answer.recv_timeout(patience);
        if answer.is_err() {
            drop(process);
            return Err(NotCompiled::TooSlow);
        }
        let status = process.0.wait();
        // Its children, if it had any, would keep the streams open.
        drop(process);
        let words = words.join().unwrap_or_default();
        match status {
            Ok(status) if status.success() => produced(answer.unwrap_or_default(), order.fuel),
            Ok(status) => Err(failure(status, &String::from_utf8_lossy(&words))),
            Err(error) => Err(NotCompiled::Refused(error.to_string())),
        }
    })
}

fn feed(mut stdin: ChildStdin, order: &Order, wasm: &[u8]) -> io::Result<()> {
    serde_json::to_writer(&mut stdin, order)?;
    stdin.write_all(b"\n")?;
    stdin.write_all(wasm)
}

/// Up to `limit` bytes. The rest is read and dropped, so that the writer can finish.
fn read(mut stream: impl Read, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = (&mut stream).take(limit).read_to_end(&mut bytes);
    let _ = io::copy(&mut stream, &mut io::sink());
    bytes
}

/// The bits of the answer's last byte.
const CONCURRENCY: u8 = 1;
const REFERENCES: u8 = 2;
const PROGRAM: u8 = 4;

/// The answer's last byte.
pub(crate) fn mark(needs: Needs, form: Form) -> u8 {
    u8::from(needs.concurrency) * CONCURRENCY
        + u8::from(needs.references) * REFERENCES
        + u8::from(form == Form::Program) * PROGRAM
}

fn produced(mut answer: Vec<u8>, fuel: bool) -> Result<Produced, NotCompiled> {
    if answer.len() as u64 > MAX_CODE {
        return Err(NotCompiled::Refused(format!(
            "it makes more machine code than the {} MiB that are taken",
            MAX_CODE >> 20
        )));
    }
    match answer.pop() {
        Some(mark) if mark < 2 * PROGRAM => Ok(Produced {
            needs: Needs {
                fuel,
                concurrency: mark & CONCURRENCY != 0,
                references: mark & REFERENCES != 0,
            },
            form: if mark & PROGRAM == 0 {
                Form::Component
            } else {
                Form::Program
            },
            code: answer,
        }),
        _ => Err(NotCompiled::Refused(
            "it can't be compiled: the compiler gave no code".into(),
        )),
    }
}

fn failure(status: ExitStatus, words: &str) -> NotCompiled {
    let code = status.code();
    let words = words.trim();
    // The second is what Rust prints when an allocation fails.
    if code == Some(OUT_OF_MEMORY.into()) || words.contains("memory allocation of ") {
        return NotCompiled::OutOfMemory;
    }
    if code == Some(REFUSED.into()) {
        return NotCompiled::Refused(words.to_owned());
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return NotCompiled::TooSlow;
    }
    let mut lines = words.lines().filter(|line| !line.starts_with("note: "));
    let last = lines.next_back().unwrap_or("it said nothing");
    NotCompiled::Refused(format!("compiling it crashed ({status}): {last}"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_mins(1);
    const TERMS: Terms = Terms {
        fuel: true,
        source_lines: false,
        features: Features {
            gc: true,
            memory64: false,
        },
    };

    fn run(script: &str, patience: Duration) -> Result<Produced, NotCompiled> {
        let compiler = Compiler {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            max_memory: 1 << 30,
        };
        // More than a pipe holds: a process that reads nothing must not block us.
        let deadline = Instant::now() + patience;
        compiler.run(&vec![7; 200_000], TERMS, SOON, deadline)
    }

    #[test]
    fn the_code_is_what_it_answers_with() {
        for needs in [(true, false), (false, true), (true, true)] {
            for form in [Form::Component, Form::Program] {
                let needs = Needs {
                    fuel: true,
                    concurrency: needs.0,
                    references: needs.1,
                };
                let script = format!("cat >/dev/null; printf 'code\\00{}'", mark(needs, form));
                let produced = run(&script, SOON).unwrap();
                assert_eq!(
                    (&*produced.code, produced.needs, produced.form),
                    (&b"code"[..], needs, form)
                );
            }
        }
    }

    #[test]
    fn it_is_told_the_settings_and_the_whole_module() {
        let said = run("/usr/bin/wc -c >&2; exit 10", SOON).unwrap_err();
        let NotCompiled::Refused(count) = said else {
            panic!("{said:?}")
        };
        assert!(count.parse::<usize>().unwrap() > 200_000, "{count}");
        let said = run("read -r line; echo \"$line\" >&2; exit 10", SOON).unwrap_err();
        let NotCompiled::Refused(line) = said else {
            panic!("{said:?}")
        };
        let order: Order = serde_json::from_str(&line).unwrap();
        assert!(order.fuel && !order.source_lines && order.max_memory == 1 << 30);
        assert_eq!(order.features, TERMS.features);
    }

    #[test]
    fn one_that_takes_too_long_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("echo $$ >{}; exec /bin/sleep 600", file.display());
        // It can't be looked for before it has written its process id.
        let mut patience = Duration::from_millis(100);
        let pid = loop {
            let ended = run(&script, patience);
            assert_eq!(ended.unwrap_err(), NotCompiled::TooSlow);
            match std::fs::read_to_string(&file) {
                Ok(pid) if pid.ends_with('\n') => break pid,
                _ => patience *= 2,
            }
        };
        let process = std::path::Path::new("/proc").join(pid.trim());
        assert!(!process.join("cmdline").exists());
    }

    #[test]
    fn an_end_without_code_says_why() {
        let refused = |script| match run(script, SOON) {
            Err(NotCompiled::Refused(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("echo it is odd >&2; exit 10"), "it is odd");
        let crashed = refused("echo so far >&2; kill -SEGV $$");
        assert!(
            crashed.contains("crashed") && crashed.contains("so far"),
            "{crashed}"
        );
        assert!(refused("exit 0").contains("no code"));
        assert!(refused("exit 1").contains("crashed"));
        assert_eq!(
            run("kill -XCPU $$", SOON).unwrap_err(),
            NotCompiled::TooSlow
        );
        for script in [
            "exit 11",
            "echo memory allocation of 5 bytes failed >&2; kill -ABRT $$",
        ] {
            assert_eq!(run(script, SOON).unwrap_err(), NotCompiled::OutOfMemory);
        }
    }

    #[test]
    fn one_that_cannot_be_started_is_named() {
        let compiler = Compiler {
            program: "/nowhere/compiler".into(),
            args: Vec::new(),
            max_memory: 1,
        };
        let failed = compiler.run(b"", TERMS, SOON, Instant::now() + SOON);
        assert!(format!("{failed:?}").contains("/nowhere/compiler"));
    }
}
