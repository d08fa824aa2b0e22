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
/// A worker that was up for so long has not crashed in a row.
const STEADY: Duration = Duration::from_mins(1);
/// The exit code of a configuration that can't be used: starting again does not help.
const MISCONFIGURED: i32 = 2;

/// Keeps `workers` processes running until a signal, which goes on to them. Only for a runtime of one
/// thread: a process is told of the end of the thread that started it, so that has to be the last.
pub(super) async fn supervise(workers: u16) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen()?;
    // Counts the signals, so that a seat sees each of them.
    let (stops, stopping) = watch::channel(0_u32);
    let stops = Arc::new(stops);
    let mut seats = JoinSet::new();
    tracing::info!(workers, supervisor = std::process::id(), "starting workers");
    for seat in 1..=workers {
        seats.spawn(keep(seat, stopping.clone()));
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
                // One that can't run at all can't run in another process either.
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
async fn keep(seat: u16, mut stopping: watch::Receiver<u32>) -> anyhow::Result<()> {
    let mut pause = FIRST_PAUSE;
    while *stopping.borrow() == 0 {
        let started = Instant::now();
        let mut child = start()?;
        let process = child.id().unwrap_or_default();
        tracing::info!(seat, process, "started a worker");
        let status = wait(&mut child, &mut stopping).await?;
        if *stopping.borrow() > 0 {
            tracing::info!(seat, process, %status, "a worker stopped");
            return Ok(());
        }
        if status.code() == Some(MISCONFIGURED) {
            let message = "a worker says that it can't start like this; see its message above";
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

/// This program with the same flags, as a single worker.
fn start() -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("can't find this program's own file")?;
    Command::new(program)
        .args(std::env::args_os().skip(1))
        .args(["--workers", "1"])
        .args(["--supervised-by", &std::process::id().to_string()])
        // A group of its own: Ctrl-C in a terminal reaches the supervisor alone, which passes it on.
        // Otherwise each worker would see two signals, and stop at once.
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
                    // It may have ended in this moment; then there is nobody to tell.
                    let _ = kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGTERM);
                }
            }
        }
    }
}

/// Waits until more signals than `seen` have come; says how many.
async fn count_above(stopping: &mut watch::Receiver<u32>, seen: u32) -> anyhow::Result<u32> {
    Ok(*stopping.wait_for(|count| *count > seen).await?)
}

/// Lets this process be asked to stop (SIGTERM) when its supervisor is gone, however it went.
pub(super) fn end_with(supervisor: u32) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)
        .context("can't tie this worker to its supervisor")?;
    // It may have gone before it could be watched.
    if getppid() != Pid::from_raw(i32::try_from(supervisor)?) {
        anyhow::bail!("the supervisor {supervisor} is gone");
    }
    Ok(())
}
