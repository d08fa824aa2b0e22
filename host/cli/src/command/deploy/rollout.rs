//! A roll-out as people see it: a bar of workers, Ctrl-C, and how it ended.
//!
//! Must not know what is rolled out.

use std::time::Duration;

use chicory_queue::{
    CanaryTerms, Connected, DeployRefused, Deployer, ModuleRecord, Phase, RolledOut, RolloutError,
    RolloutRequest, Stage, SystemClock, Target, Timestamp,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::exit::CommandError;
use crate::output::Output;

/// Drives roll-outs for a person.
pub(crate) struct Drive<'a> {
    connected: &'a Connected,
    deployer: Deployer,
    output: Output,
}

/// A request that begins now.
pub(crate) fn request(
    timeout: Duration,
    canary: Option<CanaryTerms>,
    allow_breaking: bool,
) -> RolloutRequest {
    let now = Timestamp::now();
    RolloutRequest {
        id: uuid::Uuid::now_v7().to_string(),
        by: who(),
        now,
        expires_at: now.after(timeout),
        canary,
        allow_breaking,
    }
}

/// Who this is, for those who read the log of deploys.
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

impl<'a> Drive<'a> {
    pub(crate) fn new(connected: &'a Connected, output: Output) -> Self {
        Self {
            connected,
            deployer: connected.deployer(std::sync::Arc::new(SystemClock)),
            output,
        }
    }

    /// Rolls out; Ctrl-C stops it without effect. None where there was nothing to do: it serves already.
    pub(crate) async fn roll_out(
        &self,
        module: &str,
        target: &Target,
        changes: impl Fn(&ModuleRecord) -> Vec<String>,
        request: &RolloutRequest,
    ) -> anyhow::Result<Option<RolledOut>> {
        let bar = self.bar(module);
        let rolling = self
            .deployer
            .roll_out(module, target, changes, request, |stage| show(&bar, stage));
        let ended = tokio::select! {
            ended = rolling => ended,
            _ = tokio::signal::ctrl_c() => {
                self.deployer.stop(module, request).await.map_err(named)?;
                bar.finish_and_clear();
                return Err(CommandError::Failed("stopped: the version before stays".into()).into());
            }
        };
        bar.finish_and_clear();
        match ended {
            Err(RolloutError::Refused(DeployRefused::Active { digest, .. })) => {
                let body = json!({ "module": module, "digest": digest, "state": "active", "changed": false });
                self.output.value(&body, |_| {
                    format!("{module} sha256:{digest} is active already")
                })?;
                Ok(None)
            }
            ended => ended.map(Some).map_err(named),
        }
    }

    /// Waits until a canary is promoted or rolled back.
    pub(crate) async fn verdict(&self, module: &str, id: &str) -> anyhow::Result<()> {
        let mut changes = self.connected.registry.watch().await?;
        loop {
            let record = self
                .connected
                .registry
                .module(module)
                .await?
                .unwrap_or_default();
            let serves = record.canary.as_ref().is_some_and(|canary| canary.id == id);
            if !serves {
                return self.told(module).await;
            }
            // A wake-up may be lost.
            let _ = tokio::time::timeout(Duration::from_secs(1), changes.recv()).await;
        }
    }

    async fn told(&self, module: &str) -> anyhow::Result<()> {
        let log = self.connected.registry.audit(100).await?;
        let ended = log.iter().find(|entry| {
            entry.module == module && ["promote", "rollback"].contains(&entry.action.as_str())
        });
        match ended {
            Some(entry) if entry.action == "promote" => self
                .output
                .value(entry, |entry| format!("promoted: {}", entry.detail)),
            Some(entry) => {
                Err(CommandError::Failed(format!("rolled back: {}", entry.detail)).into())
            }
            None => {
                Err(CommandError::Failed("the canary has ended, and nobody said how".into()).into())
            }
        }
    }

    fn bar(&self, module: &str) -> ProgressBar {
        if self.output.is_json() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} workers")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style);
        bar.set_message(module.to_owned());
        bar
    }
}

fn show(bar: &ProgressBar, stage: &Stage) {
    let what = match stage.phase {
        Phase::Preparing => "ready",
        Phase::Switching => "switched",
    };
    bar.set_message(what);
    bar.set_length(stage.workers as u64);
    bar.set_position(stage.done as u64);
}

/// The error in the program's words and exit codes.
fn named(error: RolloutError) -> anyhow::Error {
    match error {
        RolloutError::Registry(error) => error.into(),
        other => CommandError::Failed(other.to_string()).into(),
    }
}
