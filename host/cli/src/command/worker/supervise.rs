//! Several worker processes: started, restarted after a crash, and stopped together.
//!
//! The processes are this very program with one worker each. Must not know what a worker does.

use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::signals::StopSignals;
use crate::exit::CommandError;

/// First pause before a crashed worker is started again; it doubles with each crash in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that ran for this long starts a new row of crashes.
const STEADY: Duration = Duration::from_mins(1);
/// The exit code for an unusable configuration: restarting does not help.
const MISCONFIGURED: i32 = 2;

/// Keeps `workers` processes running until a signal, which is passed on to them. Only for a single-threaded runtime:
/// the kernel tells a process when the thread that started it ends, so that thread must be the last one.
pub(super) async fn supervise(workers: u16) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen()?;
    // Counts the signals, so that a seat sees each of them.
    let (stops, stopping) = watch::channel(0_u32);
    let stops = Arc::new(stops);
    let mut seats = JoinSet::new();
    tracing::info!(workers, supervisor = std::process::id(), "starting workers");
    for seat in 1..=workers {
        seats.spawn(keep(seat, workers, stopping.clone()));
    }
    let mut failure = None;
    loop {
        tokio::select! {
            () = signals.next() => {
                tracing::info!("passing the signal on to all workers");
                stops.send_modify(|count| *count += 1);
            }
            ended = seats.join_next() => match ended {
                None => break,
                Some(Ok(Ok(()))) => {}
                // If it can't run in one process, it can't run in another.
                Some(Ok(Err(error))) => {
                    failure.get_or_insert(error);
                    stops.send_modify(|count| *count += 1);
                }
                Some(Err(panic)) => return Err(panic.into()),
            }
        }
    }
    match failure {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Err(error),
    }
}

/// Keeps one process running; ends once stopping is asked for and the process is gone.
async fn keep(seat: u16, workers: u16, mut stopping: watch::Receiver<u32>) -> anyhow::Result<()> {
    let mut pause = FIRST_PAUSE;
    while *stopping.borrow() == 0 {
        let started = Instant::now();
        let mut child = start(workers)?;
        let process = child.id().unwrap_or_default();
        tracing::info!(seat, process, "started a worker");
        let status = wait(&mut child, &mut stopping).await?;
        if *stopping.borrow() > 0 {
            tracing::info!(seat, process, %status, "a worker stopped");
            return Ok(());
        }
        if status.code() == Some(MISCONFIGURED) {
            let message = "a worker can't start with this configuration; see its message above";
            return Err(CommandError::Usage(message.into()).into());
        }
        if started.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        tracing::warn!(seat, process, %status, ?pause, "a worker ended; starting another");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = count_above(&mut stopping, 0) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// This program with the same flags, as a single worker, one of `workers`.
fn start(workers: u16) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("can't find this program's own file")?;
    Command::new(program)
        .args(std::env::args_os().skip(1))
        .args(["--workers", "1"])
        .args(["--supervised-by", &std::process::id().to_string()])
        .args(["--one-of", &workers.to_string()])
        // With its own process group, Ctrl-C in a terminal reaches only the supervisor, which passes it on.
        // Otherwise each worker would get two signals, and stop at once.
        .process_group(0)
        .spawn()
        .context("can't start a worker process")
}

/// Waits for the end of a process; passes each signal on meanwhile.
async fn wait(
    child: &mut Child,
    stopping: &mut watch::Receiver<u32>,
) -> anyhow::Result<ExitStatus> {
    let mut passed_on = 0;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status?),
            count = count_above(stopping, passed_on) => {
                passed_on = count?;
                if let Some(id) = child.id() {
                    // It may just have ended; then there is no process to signal.
                    let _ = kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM);
                }
            }
        }
    }
}

/// Waits until more than `seen` signals have arrived, and returns their number.
async fn count_above(stopping: &mut watch::Receiver<u32>, seen: u32) -> anyhow::Result<u32> {
    Ok(*stopping.wait_for(|count| *count > seen).await?)
}

/// Makes the kernel send SIGTERM to this process when its supervisor ends, for whatever reason.
pub(super) fn end_with(supervisor: u32) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)
        .context("can't tie this worker to its supervisor")?;
    // It may have ended before it could be watched.
    if getppid() != Pid::from_raw(i32::try_from(supervisor)?) {
        anyhow::bail!("the supervisor {supervisor} is gone");
    }
    Ok(())
}
