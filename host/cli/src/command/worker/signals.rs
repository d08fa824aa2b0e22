//! SIGTERM, SIGINT and SIGHUP as one stream.
//!
//! Must not know what is done about a signal.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask this process to stop.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// None where whoever started it wants it to outlive its terminal, as `nohup` does.
    hang_up: Option<Signal>,
}

impl StopSignals {
    /// From now on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("can't listen for signals");
        let hang_up = (!hang_up_is_ignored()).then(|| listen(SignalKind::hangup()));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: hang_up.transpose()?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Whether SIGHUP was ignored when this process was started. Where the kernel doesn't say, it was not.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_ignored(&status, SignalKind::hangup())
}

fn is_ignored(status: &str, signal: SignalKind) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u64::try_from(signal.as_raw_value() - 1).map_or(0, |place| 1 << place);
    ignored.is_some_and(|mask| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_is_ignored() {
        let ignored = |mask| {
            is_ignored(
                &format!("Name:\tx\nSigIgn:\t{mask}\n"),
                SignalKind::hangup(),
            )
        };
        assert!(ignored("0000000000000001") && ignored("0000000000001001"));
        assert!(
            !ignored("0000000000001000") && !ignored("") && !is_ignored("", SignalKind::hangup())
        );
    }
}
