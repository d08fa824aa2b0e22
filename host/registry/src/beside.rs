//! Whether modules can be deployed beside each other: each name of a task must mean one task.
//!
//! Must not know what names are alike: [`chicory_signature::conflict`] does.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chicory_signature::{NameConflict, Offer, conflict, owner, short_name};

use crate::{DeployRefused, ModuleRecord, Version};

impl ModuleRecord {
    /// Whether any version of it is kept. A module without one has no tasks, and no name belongs to it.
    pub fn is_deployed(&self) -> bool {
        !self.versions.is_empty()
    }

    /// Why this module can't be deployed beside the others; none where it can. Another record of the same
    /// name is passed over.
    pub fn conflict_with<'a>(
        &self,
        others: impl IntoIterator<Item = &'a ModuleRecord>,
    ) -> Option<NameConflict> {
        let own = self.offer();
        let others = others.into_iter().filter(|other| other.is_deployed());
        others
            .into_iter()
            .find_map(|other| conflict(&own, &other.offer()))
    }

    /// The record, if the module can be deployed beside the others.
    pub(crate) fn beside(self, others: &[Self]) -> Result<Self, DeployRefused> {
        match self.conflict_with(others) {
            Some(conflict) => Err(conflict.into()),
            None => Ok(self),
        }
    }

    /// The tasks of the versions that new messages meet, or are about to meet.
    fn offer(&self) -> Offer<'_> {
        let versions = self
            .versions
            .iter()
            .filter(|version| self.meets_new(version));
        let full = versions.flat_map(|version| version.tasks.keys().map(String::as_str));
        let names = full.flat_map(|task| {
            let short = short_name(task).map(Cow::Owned);
            [Some(Cow::Borrowed(task)), short].into_iter().flatten()
        });
        let names: BTreeSet<_> = names.collect();
        Offer {
            module: owner(&self.name).1,
            tasks: names.into_iter().collect(),
        }
    }

    fn meets_new(&self, version: &Version) -> bool {
        let digests = [
            self.active.as_ref(),
            self.rollout.as_ref().map(|rollout| &rollout.digest),
            self.canary.as_ref().map(|canary| &canary.digest),
        ];
        digests.contains(&Some(&version.digest))
    }
}
