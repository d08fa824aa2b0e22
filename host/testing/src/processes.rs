//! Processes of this machine: started in a group of their own, signalled, and asked how much memory they have.
//!
//! Must not know which programs they run.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Starts a command that leads a process group, with nothing to read. Its errors are piped.
pub fn start_group(mut command: Command, output: Stdio) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the program can be started")
}

/// Sends a signal to a process.
///
/// # Errors
/// If the process is gone, or belongs to someone else.
pub fn signal(id: u32, signal: Signal) -> nix::Result<()> {
    kill(pid(id), signal)
}

/// A process's memory in bytes, by a line of its status: `VmRSS` for now, `VmHWM` for the most so far. `None` once it has
/// ended.
pub fn memory(id: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let mut lines = status.lines().filter_map(|all| all.split_once(':'));
    let (_, value) = lines.find(|(name, _)| *name == line)?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

pub(crate) fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("process ids are small"))
}
