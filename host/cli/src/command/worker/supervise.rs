//! Several worker processes: started, restarted after a crash or when they can start again, and stopped together.
//!
//! The processes are this very program with one worker each. Must not know what a worker does.

use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::super::compile::program;
use super::signals::StopSignals;
use crate::exit::CommandError;

/// First pause before a crashed worker is started again; it doubles with each crash in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that ran for this long starts a new row of crashes.
const STEADY: Duration = Duration::from_mins(1);
/// The exit code for an unusable configuration.
const MISCONFIGURED: i32 = 2;

/// Keeps `workers` processes running until a signal, which is passed on to them. Only for a single-threaded runtime:
/// the kernel tells a process when the thread that started it ends, so that thread must be the last one.
pub(super) async fn supervise(workers: u16) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen()?;
    // Counts the signals, so that a seat sees each of them.
    let (stops, stopping) = watch::channel(0_u32);
    // Told once by each seat whose first process can't start.
    let (failed, mut failures) = mpsc::unbounded_channel::<()>();
    let mut left = workers;
    let mut seats = JoinSet::new();
    tracing::info!(workers, supervisor = std::process::id(), "starting workers");
    for number in 1..=workers {
        let seat = Seat {
            number,
            of: workers,
            stopping: stopping.clone(),
        };
        seats.spawn(seat.keep(failed.clone()));
    }
    loop {
        tokio::select! {
            () = signals.next() => {
                tracing::info!("passing the signal on to all workers");
                stops.send_modify(|count| *count += 1);
            }
            Some(()) = failures.recv() => {
                left -= 1;
                // If none can start now, it is not for something that came in between.
                if left == 0 {
                    stops.send_modify(|count| *count += 1);
                }
            }
            ended = seats.join_next() => match ended {
                None => break,
                Some(ended) => ended?,
            }
        }
    }
    if left > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let message = "no worker can start with this configuration; see the messages above";
    Err(CommandError::Usage(message.into()).into())
}

/// The place of one process, which is started again whenever it ends.
struct Seat {
    number: u16,
    of: u16,
    stopping: watch::Receiver<u32>,
}

impl Seat {
    /// Keeps the process running; ends once stopping is asked for and the process is gone. One that can't start is tried
    /// again: a file that is away or broken now may be there again soon, and the other seats continue meanwhile.
    async fn keep(mut self, failed: mpsc::UnboundedSender<()>) {
        let (mut pause, mut is_first) = (FIRST_PAUSE, true);
        while *self.stopping.borrow() == 0 {
            let started = Instant::now();
            let ended = self.run().await;
            if *self.stopping.borrow() > 0 {
                return;
            }
            if started.elapsed() > STEADY {
                pause = FIRST_PAUSE;
            }
            let seat = self.number;
            let can_start = match ended {
                Ok((process, status)) if status.code() == Some(MISCONFIGURED) => {
                    tracing::warn!(
                        seat,
                        process,
                        ?pause,
                        "a worker can't start with this configuration, see its message above; trying again"
                    );
                    false
                }
                Ok((process, status)) => {
                    tracing::warn!(seat, process, %status, ?pause, "a worker ended; starting another");
                    true
                }
                Err(error) => {
                    tracing::warn!(
                        seat,
                        error = format!("{error:#}"),
                        ?pause,
                        "a worker can't be started; trying again"
                    );
                    false
                }
            };
            if std::mem::take(&mut is_first) && !can_start {
                // Fails only when the supervisor has ended.
                let _ = failed.send(());
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = count_above(&mut self.stopping, 0) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Runs a process to its end; its id, and how it ended.
    async fn run(&mut self) -> anyhow::Result<(u32, ExitStatus)> {
        let seat = self.number;
        let mut child = start(self.of)?;
        let process = child.id().unwrap_or_default();
        tracing::info!(seat, process, "started a worker");
        let status = wait(&mut child, &mut self.stopping).await?;
        if *self.stopping.borrow() > 0 {
            tracing::info!(seat, process, %status, "a worker stopped");
        }
        Ok((process, status))
    }
}

/// This program with the same flags, as a single worker, one of `workers`. The running program, not what may be in its
/// file's place by now.
fn start(workers: u16) -> anyhow::Result<Child> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "chicory".into());
    Command::new(program()?)
        .arg0(name)
        .args(arguments)
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
    // Started from the kernel's name for the running program, it would be listed as `exe`.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_name(c"chicory");
    // It may have ended before it could be watched.
    if getppid() != Pid::from_raw(i32::try_from(supervisor)?) {
        anyhow::bail!("the supervisor {supervisor} is gone");
    }
    Ok(())
}
