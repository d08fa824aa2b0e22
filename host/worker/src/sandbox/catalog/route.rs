//! A task's versions on this worker. The registry's rule says which one runs a message; here is the code for each.
//!
//! Must not decide: [`chicory_queue::TaskVersions`] does. Must not know where versions come from.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chicory_queue::{ModuleRecord, NoVersion, TaskMessage, TaskVersions};
use chicory_signature::{canonical, short_name};

use super::counters::CanaryCounters;
use super::version::{CatalogTask, LoadedVersion, Trial};

/// What serves a module's tasks.
#[derive(Debug)]
pub(crate) struct Served {
    /// Which versions there are, and what each is for.
    pub(crate) record: ModuleRecord,
    /// All of them, by digest.
    pub(crate) versions: HashMap<String, Arc<LoadedVersion>>,
    /// What is counted while the record has a canary.
    pub(crate) counters: Option<Arc<CanaryCounters>>,
    /// Whether it comes from the registry, not from a folder on this machine.
    pub(crate) deployed: bool,
}

/// One task, with all versions that have it.
#[derive(Debug)]
pub(crate) struct Route {
    versions: TaskVersions,
    tasks: Vec<Arc<CatalogTask>>,
}

impl Served {
    /// The version for new tasks; `None` if only others are kept.
    pub(crate) fn active(&self) -> Option<&Arc<LoadedVersion>> {
        self.versions.get(self.record.serving()?)
    }

    /// The tasks of all versions: each by its newest names in WIT's spelling, the full and the short one, with its
    /// route. A short name that means several tasks in each version is left out.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (Cow<'_, str>, Route)> {
        let mut names = BTreeMap::new();
        for version in &self.record.versions {
            for task in version.tasks.keys() {
                let short = short_name(task).map(Cow::Owned);
                let both = [Some(Cow::Borrowed(task.as_str())), short];
                let both = both.into_iter().flatten();
                names.extend(both.map(|name| (canonical(&name).into_owned(), name)));
            }
        }
        let routes = names.into_values().map(|name| {
            let route = self.route(&name);
            (name, route)
        });
        routes.filter(|(_, route)| !route.tasks.is_empty())
    }

    fn route(&self, name: &str) -> Route {
        let tasks = self.versions.values().filter_map(|version| {
            let task = version.task(name)?;
            Some(
                self.counters
                    .as_ref()
                    .map_or_else(|| Arc::clone(task), |counters| self.counted(task, counters)),
            )
        });
        Route {
            tasks: tasks.collect(),
            versions: TaskVersions::of(&self.record, name),
        }
    }

    /// The task of a canary, or of the version that it is compared with. Others are not counted.
    fn counted(&self, task: &Arc<CatalogTask>, counters: &Arc<CanaryCounters>) -> Arc<CatalogTask> {
        let digest = Some(task.digest());
        let on_trial = self.record.canary.as_ref();
        let canary = digest == on_trial.map(|canary| canary.digest.as_str());
        if !canary && digest != self.record.serving() {
            return Arc::clone(task);
        }
        Arc::new(task.on_trial(Trial {
            canary,
            counters: Arc::clone(counters),
        }))
    }
}

impl Route {
    /// The task that runs a message.
    ///
    /// # Errors
    /// Why no version runs it.
    pub(crate) fn pick(&self, message: &TaskMessage) -> Result<&Arc<CatalogTask>, NoVersion> {
        let chosen = &self.versions.choose(message)?.digest;
        let task = self.tasks.iter().find(|task| task.digest() == chosen);
        task.ok_or(NoVersion::Gone)
    }
}
