//! A rollout on a terminal: a progress bar of workers, and Ctrl-C.
//!
//! Must not know what is rolled out.

use std::pin::pin;

use chicory_admin::{AdminError, Deployed};
use chicory_queue::{Phase, Stage};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::output::Output;

/// Who this is, for the audit log.
pub(crate) fn who() -> String {
    let user = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|user| !user.is_empty());
    let host = hostname::get().unwrap_or_default();
    format!(
        "{}@{}",
        user.as_deref().unwrap_or("somebody"),
        host.to_string_lossy()
    )
}

/// Rolls out; Ctrl-C stops it without effect.
pub(crate) async fn until_ctrl_c<T>(
    rolling: impl Future<Output = Result<T, AdminError>>,
    stop: &CancellationToken,
) -> Result<T, AdminError> {
    let mut rolling = pin!(rolling);
    tokio::select! {
        ended = &mut rolling => ended,
        _ = tokio::signal::ctrl_c() => {
            stop.cancel();
            rolling.await
        }
    }
}

/// Says that there was nothing to roll out.
pub(crate) fn unchanged(output: Output, deployed: &Deployed) -> anyhow::Result<()> {
    let Deployed { module, digest, .. } = deployed;
    let body =
        json!({ "module": module, "digest": digest, "state": deployed.state, "changed": false });
    output.value(&body, |_| {
        format!("{module} sha256:{digest} is already active")
    })
}

/// How many workers are ready, or have switched. Cleared when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// For a module's rollout.
    pub(crate) fn new(module: &str, output: Output) -> Self {
        if output.is_json() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} workers")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style);
        bar.set_message(module.to_owned());
        Self(bar)
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, stage: &Stage) {
        let what = match stage.phase {
            Phase::Preparing => "ready",
            Phase::Switching => "switched",
        };
        self.0.set_message(what);
        self.0.set_length(stage.workers as u64);
        self.0.set_position(stage.done as u64);
    }

    /// Removes it before something is printed.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
