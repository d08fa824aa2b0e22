//! One version of a module with its settings: what its tasks run, and how they are delivered and retried.
//!
//! Must not know which version runs a message: [`super::route`] does.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chicory_queue::{Failure, Outcome, RetryPolicy, Version};
use chicory_runtime::{Sandbox, Task};
use chicory_signature::{find_name, find_task, shown_names, with_causes};

use super::code::Code;
use super::counters::CanaryCounters;
use crate::Call;
use crate::attempt::runner::{Ended, Runnable, Running, TaskProfile};
use crate::sandbox::error::ModuleError;
use crate::sandbox::manifest::Manifest;
use crate::sandbox::translate;

/// A version of a module.
#[derive(Debug)]
pub(crate) struct LoadedVersion {
    pub(crate) origin: VersionCode,
    /// By full name in WIT's spelling.
    pub(crate) tasks: BTreeMap<String, Arc<CatalogTask>>,
}

/// The code of a version, and where it runs.
#[derive(Clone)]
pub(crate) struct VersionCode {
    /// SHA-256 of what was deployed.
    pub(crate) digest: Arc<str>,
    pub(crate) code: Arc<Code>,
    pub(crate) sandbox: Sandbox,
}

/// A task with its settings.
pub struct CatalogTask {
    /// Its full name within the module, in WIT's spelling.
    name: String,
    version: VersionCode,
    profile: TaskProfile,
    /// Where a canary of its module is judged.
    trial: Option<Trial>,
}

/// A task's part in the trial of a canary.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// Whether the task is the canary's.
    pub(crate) canary: bool,
    pub(crate) counters: Arc<CanaryCounters>,
}

impl LoadedVersion {
    /// A version with the tasks that its record lists.
    pub(crate) fn new(version: &Version, origin: VersionCode, manifest: &Manifest) -> Self {
        let shown = shown_names(version.tasks.keys().map(String::as_str));
        let task = |(name, shown): (&String, Cow<'_, str>)| {
            let task = CatalogTask {
                name: name.clone(),
                version: origin.clone(),
                profile: profile([name, &shown], manifest),
                trial: None,
            };
            (name.clone(), Arc::new(task))
        };
        Self {
            tasks: version.tasks.keys().zip(shown).map(task).collect(),
            origin,
        }
    }

    pub(crate) fn digest(&self) -> &Arc<str> {
        &self.origin.digest
    }

    pub(crate) fn code(&self) -> &Arc<Code> {
        &self.origin.code
    }

    /// The task that this name means, in any spelling.
    pub(crate) fn task(&self, name: &str) -> Option<&Arc<CatalogTask>> {
        find_task(&self.tasks, name).map(|(_, task)| task)
    }
}

/// A task's settings: its own from the manifest, under either of its names, or else the module's.
fn profile(names: [&str; 2], manifest: &Manifest) -> TaskProfile {
    let mut own = names
        .iter()
        .filter_map(|name| find_name(&manifest.tasks, name));
    let own = own.next().map(|(_, own)| own);
    let policy = own.and_then(|own| own.retry.clone());
    let policy = policy.or_else(|| manifest.retry.clone());
    let mode = own.and_then(|own| own.delivery_mode);
    let ignore = own.and_then(|own| own.ignore_result);
    let mut profile = TaskProfile::new(policy.unwrap_or_else(RetryPolicy::none));
    profile.delivery_mode = mode.or(manifest.delivery_mode);
    profile.ignore_result = ignore.unwrap_or(manifest.ignore_result);
    profile
}

impl CatalogTask {
    /// The digest of its version.
    pub fn digest(&self) -> &str {
        &self.version.digest
    }

    /// The same task in the trial of a canary.
    pub(crate) fn on_trial(&self, trial: Trial) -> Self {
        Self {
            name: self.name.clone(),
            version: self.version.clone(),
            profile: self.profile.clone(),
            trial: Some(trial),
        }
    }

    /// What the sandbox runs. The code is loaded first if necessary.
    async fn code(&self) -> Result<Arc<Task>, ModuleError> {
        let code = &self.version.code;
        let module = match code.get() {
            Some(module) => module,
            None => code.load().await?,
        };
        module
            .task(&self.name)
            .cloned()
            .ok_or_else(|| ModuleError::NoSuchTask {
                digest: self.digest().to_owned(),
                task: self.name.clone(),
            })
    }

    /// This worker can't have the task's code. Another may, so the policy's retries continue.
    fn refused(&self, reason: &ModuleError) -> Outcome {
        Outcome::Failed(Failure {
            name: "ModuleRefused".into(),
            message: format!(
                "version {} can't be used here: {}",
                self.digest(),
                with_causes(reason)
            ),
            traceback: None,
            advice: chicory_queue::Advice::Policy,
        })
    }
}

impl Runnable for CatalogTask {
    fn profile(&self) -> &TaskProfile {
        &self.profile
    }

    fn run(self: Arc<Self>, call: Call) -> Running {
        Box::pin(async move {
            let task = match self.code().await {
                Ok(task) => task,
                Err(reason) => return self.refused(&reason).into(),
            };
            let ended = self
                .version
                .sandbox
                .run(translate::invocation(&call, task))
                .await;
            Ended {
                outcome: translate::outcome(ended.how),
                usage: Some(ended.usage),
                log: ended.log,
            }
        })
    }

    /// Guests let others pass at every tick of their engine.
    fn yields(&self) -> bool {
        true
    }

    fn is_canary(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.canary)
    }

    fn concluded(&self, outcome: &Outcome) {
        if let Some(trial) = &self.trial {
            trial.counters.count(trial.canary, outcome);
        }
    }
}

impl fmt::Debug for CatalogTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogTask")
            .field("name", &self.name)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VersionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VersionCode").field(&self.digest).finish()
    }
}
