//! Which version of its module a message runs on. The only place that decides it: workers ask it for each
//! message, and what forgets old versions asks it which of them messages still need.
//!
//! - A pinned message runs on the version that it names.
//! - One that was checked against a version runs on the active one if that takes the same arguments, and
//!   otherwise on the version that it was checked against.
//! - Any other runs on the active version; if its arguments don't fit there, on the newest earlier version
//!   that they fit. So a deploy never makes a queued message fail to decode.
//! - A canary takes its share of what would run on the active version.
//!
//! Must not know where a version's code is.

#[cfg(test)]
mod tests;

use chicory_signature::{Signature, compatible, find_task};

use crate::{Canary, ModuleRecord, QueuedMessage, Version};

/// The versions of one task that messages may meet.
#[derive(Debug, Clone, Default)]
pub struct TaskVersions {
    active: Option<TaskVersion>,
    canary: Option<(Canary, TaskVersion)>,
    /// Newest first.
    kept: Vec<KeptVersion>,
}

/// One version of a task.
#[derive(Debug, Clone)]
pub struct TaskVersion {
    /// The digest of the module's version.
    pub digest: String,
    /// What the task takes and returns in it.
    pub signature: Signature,
}

#[derive(Debug, Clone)]
struct KeptVersion {
    version: TaskVersion,
    /// Whether the active version takes all that this one takes.
    is_covered: bool,
    /// Whether it has been active. One that has not is met only by messages that name it.
    has_served: bool,
}

/// Why no version runs a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoVersion {
    /// The version that it is pinned to is not kept, or has no such task.
    #[error("it is pinned to version {digest}, which is not kept")]
    Pinned {
        /// The version.
        digest: String,
    },
    /// The active version has no such task.
    #[error(
        "the active version of the module no longer has this task, and no version that is kept takes these arguments"
    )]
    Gone,
}

impl TaskVersions {
    /// A task of a module that has one version.
    pub fn only(version: TaskVersion) -> Self {
        Self {
            active: Some(version),
            ..Self::default()
        }
    }

    /// The versions of a task, by its full or short name inside the module, that a record says are kept.
    pub fn of(record: &ModuleRecord, task: &str) -> Self {
        Self::among(record, task, |_| true)
    }

    /// The same without the versions of these digests.
    pub(crate) fn without(record: &ModuleRecord, task: &str, digests: &[String]) -> Self {
        Self::among(record, task, |version| !digests.contains(&version.digest))
    }

    fn among(record: &ModuleRecord, task: &str, stays: impl Fn(&Version) -> bool) -> Self {
        let versions = || {
            record
                .versions
                .iter()
                .rev()
                .filter(|version| stays(version))
        };
        let named = |digest: &str| versions().find(|version| version.digest == digest);
        let serving = record.serving();
        let on_trial = record.canary.as_ref();
        let active = serving
            .and_then(named)
            .and_then(|version| in_version(version, task));
        let kept = versions().filter(|version| {
            let digest = Some(version.digest.as_str());
            digest != serving && digest != on_trial.map(|canary| canary.digest.as_str())
        });
        let kept = kept.filter_map(|version| {
            let found = in_version(version, task)?;
            let covers =
                |active: &TaskVersion| compatible(&found.signature, &active.signature).is_empty();
            Some(KeptVersion {
                is_covered: active.as_ref().is_some_and(covers),
                has_served: record.has_served(&version.digest),
                version: found,
            })
        });
        let kept = kept.collect();
        let canary = on_trial.and_then(|canary| {
            let version = in_version(named(&canary.digest)?, task)?;
            Some((canary.clone(), version))
        });
        Self {
            active,
            canary,
            kept,
        }
    }

    /// The version that a message runs on.
    ///
    /// # Errors
    /// Why there is none.
    pub fn choose<M: QueuedMessage + ?Sized>(
        &self,
        message: &M,
    ) -> Result<&TaskVersion, NoVersion> {
        if let Some(digest) = message.pin() {
            return self.pinned(digest);
        }
        match message.checked_against() {
            Some(digest) => {
                let checked = self.kept.iter().find(|kept| kept.version.digest == digest);
                if let Some(kept) = checked.filter(|kept| !kept.is_covered) {
                    return Ok(&kept.version);
                }
            }
            None => {
                if let Some(version) = self.only_fit(message) {
                    return Ok(version);
                }
            }
        }
        match &self.canary {
            Some((canary, version)) if !message.no_canary() && canary.takes(message.id()) => {
                Ok(version)
            }
            _ => self.active.as_ref().ok_or(NoVersion::Gone),
        }
    }

    fn pinned(&self, digest: &str) -> Result<&TaskVersion, NoVersion> {
        let canary = self.canary.iter().map(|(_, version)| version);
        let kept = self.kept.iter().map(|kept| &kept.version);
        let mut versions = self.active.iter().chain(canary).chain(kept);
        let found = versions.find(|version| version.digest == digest);
        found.ok_or_else(|| NoVersion::Pinned {
            digest: digest.to_owned(),
        })
    }

    /// The newest earlier version that the arguments fit, if they don't fit the active one.
    fn only_fit<M: QueuedMessage + ?Sized>(&self, message: &M) -> Option<&TaskVersion> {
        let candidate = |kept: &&KeptVersion| kept.has_served && !kept.is_covered;
        // Where there is none, as almost always, no arguments are checked.
        self.kept.iter().find(candidate)?;
        let fits = |version: &TaskVersion| message.fits(&version.signature);
        if self.active.as_ref().is_some_and(fits) {
            return None;
        }
        let kept = self.kept.iter().filter(candidate).map(|kept| &kept.version);
        kept.into_iter().find(|version| fits(version))
    }
}

fn in_version(version: &Version, task: &str) -> Option<TaskVersion> {
    let (_, signature) = find_task(&version.tasks, task)?;
    Some(TaskVersion {
        digest: version.digest.clone(),
        signature: signature.clone(),
    })
}
