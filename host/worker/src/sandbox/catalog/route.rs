//! Which version of a module a message meets.
//!
//! - A pinned message runs on the version that it names.
//! - One that was checked against a version runs on the active one where that takes the same arguments,
//!   on the version that it was checked against where not.
//! - Any other runs on the active version; where its arguments don't fit there, on the newest version
//!   before that they fit. So a deploy never makes a queued message fail to decode.
//! - A canary takes its share of what would run on the active version.
//!
//! Must not know where versions come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use chicory_queue::{Canary, TaskMessage};
use chicory_signature::{Signature, compatible};

use super::counters::CanaryCounters;
use super::version::{CatalogTask, LoadedVersion, Trial};

/// What serves a module's tasks.
#[derive(Debug)]
pub(crate) struct Served {
    /// The version for new tasks; none where only others are kept.
    pub(crate) active: Option<Arc<LoadedVersion>>,
    /// The version on trial.
    pub(crate) canary: Option<(Canary, Arc<LoadedVersion>, Arc<CanaryCounters>)>,
    /// Other versions that messages may need, newest first.
    pub(crate) kept: Vec<KeptVersion>,
    /// Whether it is from the registry, and not from a folder of this machine.
    pub(crate) deployed: bool,
}

/// A version that messages may still need.
#[derive(Debug)]
pub(crate) struct KeptVersion {
    pub(crate) version: Arc<LoadedVersion>,
    /// Whether it has been active. One that has not is met by messages that name it only.
    pub(crate) has_served: bool,
}

/// A task's ways, one for each version that has it.
#[derive(Debug)]
pub(crate) struct Route {
    active: Option<Arc<CatalogTask>>,
    /// Only where there is anything to choose.
    choice: Option<Box<Choice>>,
}

#[derive(Debug)]
struct Choice {
    /// The active version's.
    signature: Option<Signature>,
    canary: Option<(Canary, Arc<CatalogTask>)>,
    /// Newest first.
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    task: Arc<CatalogTask>,
    signature: Signature,
    /// Whether the active version takes all that this one takes.
    fits: bool,
    has_served: bool,
}

impl Served {
    /// A module of one version.
    pub(crate) fn only(version: LoadedVersion) -> Self {
        Self {
            active: Some(Arc::new(version)),
            canary: None,
            kept: Vec::new(),
            deployed: false,
        }
    }

    /// The names of all tasks of all versions, each with its route.
    pub(crate) fn routes(&self) -> BTreeMap<&str, Route> {
        let canary = self.canary.as_ref().map(|(_, version, _)| version);
        let kept = self.kept.iter().map(|kept| &kept.version);
        let versions = self.active.iter().chain(canary).chain(kept);
        let names = versions.flat_map(|version| version.tasks.keys());
        names
            .map(|name| (name.as_str(), self.route(name)))
            .collect()
    }

    fn route(&self, name: &str) -> Route {
        let of = |version: &Arc<LoadedVersion>| {
            version.tasks.get(name).map(|found| Arc::clone(&found.task))
        };
        let active = self.active.as_ref().and_then(of);
        if self.canary.is_none() && self.kept.is_empty() {
            return Route {
                active,
                choice: None,
            };
        }
        let signature = self
            .active
            .as_ref()
            .and_then(|version| Some(version.tasks.get(name)?.signature.clone()));
        let kept = self.kept.iter().filter_map(|kept| {
            let found = kept.version.tasks.get(name)?;
            let fits = signature
                .as_ref()
                .is_some_and(|active| compatible(&found.signature, active).is_empty());
            Some(Kept {
                task: Arc::clone(&found.task),
                signature: found.signature.clone(),
                fits,
                has_served: kept.has_served,
            })
        });
        let kept: Vec<_> = kept.collect();
        let trial = |task: Arc<CatalogTask>, canary| match &self.canary {
            Some((_, _, counters)) => Arc::new(task.on_trial(Trial {
                canary,
                counters: Arc::clone(counters),
            })),
            None => task,
        };
        let canary = self
            .canary
            .as_ref()
            .and_then(|(canary, version, _)| Some((canary.clone(), trial(of(version)?, true))));
        Route {
            choice: Some(Box::new(Choice {
                signature,
                canary,
                kept,
            })),
            active: active.map(|task| trial(task, false)),
        }
    }
}

impl Route {
    /// The task that a message meets; an error says why there is none.
    pub(crate) fn pick(&self, message: &TaskMessage) -> Result<&Arc<CatalogTask>, String> {
        if let Some(pin) = &message.pin {
            return self.pinned(pin);
        }
        let Some(choice) = &self.choice else {
            return self.active.as_ref().ok_or_else(gone);
        };
        match &message.checked_against {
            Some(digest) => {
                let checked = choice.kept.iter().find(|kept| kept.task.digest() == digest);
                match checked {
                    Some(kept) if !kept.fits => return Ok(&kept.task),
                    _ => {}
                }
            }
            None => {
                if let Some(kept) = choice.only_fit(message) {
                    return Ok(kept);
                }
            }
        }
        match &choice.canary {
            Some((canary, task)) if !message.no_canary && canary.takes(&message.id) => Ok(task),
            _ => self.active.as_ref().ok_or_else(gone),
        }
    }

    fn pinned(&self, digest: &str) -> Result<&Arc<CatalogTask>, String> {
        let choice = self.choice.as_ref();
        let canary = choice.and_then(|choice| choice.canary.as_ref().map(|(_, task)| task));
        let kept = choice.map_or(&[][..], |choice| &choice.kept);
        self.active
            .iter()
            .chain(canary)
            .chain(kept.iter().map(|kept| &kept.task))
            .find(|task| task.digest() == digest)
            .ok_or_else(|| {
                format!(
                    "it is pinned to version {digest}, which is not kept; `chicory modules show` lists those that are"
                )
            })
    }
}

impl Choice {
    /// The newest kept version whose signature the arguments fit, where they don't fit the active one's.
    fn only_fit(&self, message: &TaskMessage) -> Option<&Arc<CatalogTask>> {
        let candidate = |kept: &&Kept| kept.has_served && !kept.fits;
        self.kept.iter().find(candidate)?;
        let fits = |signature: &Signature| signature.check(&message.arguments).is_ok();
        if self.signature.as_ref().is_some_and(fits) {
            return None;
        }
        let mut kept = self.kept.iter().filter(candidate);
        let kept = kept.find(|kept| fits(&kept.signature));
        kept.map(|kept| &kept.task)
    }
}

fn gone() -> String {
    "the active version of the module has no such task any more, and no version that is kept takes these arguments".into()
}
