//! One version of a module with its settings: what a task of it runs, and on which terms.
//!
//! Must not know which version a message meets: [`super::route`] does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chicory_queue::{DeliveryMode, RetryPolicy, Version};
use chicory_runtime::{Module, Task};
use chicory_signature::find_name;

use super::code::Code;
use super::counters::CanaryCounters;
use crate::sandbox::manifest::Manifest;

/// A version of a module.
#[derive(Debug)]
pub(crate) struct LoadedVersion {
    /// SHA-256 of what was deployed.
    pub(crate) digest: Arc<str>,
    pub(crate) code: Arc<Code>,
    /// By name in WIT's spelling.
    pub(crate) tasks: BTreeMap<String, Arc<CatalogTask>>,
}

/// A task with its settings.
#[derive(Debug)]
pub struct CatalogTask {
    /// Its name in the module, in WIT's spelling.
    name: String,
    digest: Arc<str>,
    code: Arc<Code>,
    /// What its failures lead to, unless the message says otherwise.
    pub policy: RetryPolicy,
    /// The worker's setting where missing.
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether states and results are left out.
    pub ignore_result: bool,
    /// Where a canary of its module is judged.
    pub(crate) trial: Option<Trial>,
    /// Whether it was over at once the last time.
    brief: AtomicBool,
}

/// Less than it takes to wake another thread and to hear of its end.
const BRIEF: Duration = Duration::from_micros(150);

/// A task's part in the trial of a canary.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// Whether the task is the canary's.
    pub(crate) canary: bool,
    pub(crate) counters: Arc<CanaryCounters>,
}

impl LoadedVersion {
    /// A version with the tasks that it says.
    pub(crate) fn new(version: &Version, code: Arc<Code>, manifest: &Manifest) -> Self {
        let digest = Arc::from(version.digest.as_str());
        let tasks = version.tasks.keys().map(|name| {
            let task = CatalogTask::new(name, &digest, &code, manifest);
            (name.clone(), Arc::new(task))
        });
        let tasks = tasks.collect();
        Self {
            digest,
            code,
            tasks,
        }
    }

    /// The task of this name, in whatever spelling.
    pub(crate) fn task(&self, name: &str) -> Option<&Arc<CatalogTask>> {
        find_name(&self.tasks, name).map(|(_, task)| task)
    }
}

impl CatalogTask {
    fn new(name: &str, digest: &Arc<str>, code: &Arc<Code>, manifest: &Manifest) -> Self {
        let own = find_name(&manifest.tasks, name).map(|(_, own)| own);
        Self {
            name: name.to_owned(),
            digest: Arc::clone(digest),
            code: Arc::clone(code),
            policy: (own.and_then(|own| own.retry.clone()))
                .or_else(|| manifest.retry.clone())
                .unwrap_or_else(RetryPolicy::none),
            delivery_mode: own
                .and_then(|own| own.delivery_mode)
                .or(manifest.delivery_mode),
            ignore_result: own
                .and_then(|own| own.ignore_result)
                .unwrap_or(manifest.ignore_result),
            trial: None,
            brief: AtomicBool::new(false),
        }
    }

    /// The digest of its version.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same task in the trial of a canary.
    pub(crate) fn on_trial(&self, trial: Trial) -> Self {
        Self {
            name: self.name.clone(),
            digest: Arc::clone(&self.digest),
            code: Arc::clone(&self.code),
            policy: self.policy.clone(),
            delivery_mode: self.delivery_mode,
            ignore_result: self.ignore_result,
            trial: Some(trial),
            brief: AtomicBool::new(false),
        }
    }

    /// What the sandbox runs, if its code is loaded; an error if the code has no such task.
    pub(crate) fn loaded(&self) -> Option<Result<Arc<Task>, String>> {
        self.code.get().map(|module| self.of(&module))
    }

    /// What the sandbox runs, its code loaded if it has to be.
    ///
    /// # Errors
    /// Why this worker can't have the code.
    pub(crate) async fn load(&self) -> Result<Arc<Task>, String> {
        let module = self.code.load().await?;
        self.of(&module)
    }

    fn of(&self, module: &Module) -> Result<Arc<Task>, String> {
        let task = module.task(&self.name).cloned();
        task.ok_or_else(|| {
            format!(
                "the registry says that version {} has a task `{}`, and its code has none",
                self.digest, self.name
            )
        })
    }

    /// Notes how long a try took.
    pub(crate) fn took(&self, duration: Duration) {
        let brief = duration < BRIEF;
        // Written where it changes: all threads read it.
        if self.brief.load(Ordering::Relaxed) != brief {
            self.brief.store(brief, Ordering::Relaxed);
        }
    }

    /// Whether the last try was over in less time than another thread takes to be woken.
    pub(crate) fn is_brief(&self) -> bool {
        self.brief.load(Ordering::Relaxed)
    }

    /// Whether the task runs on a canary.
    pub(crate) fn is_canary(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.canary)
    }
}
