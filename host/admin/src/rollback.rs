//! Going back to a version that served before, or ending a canary.
//!
//! Must not know how a rollout goes.

use chicory_queue::{AuditEntry, ModuleRecord, RolloutTarget, Stage};
use serde::Serialize;

use crate::{Admin, AdminError, Deployed, RolloutOptions};

/// How a rollback ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RolledBack {
    /// A canary was ended; the active version serves all messages again.
    CanaryEnded {
        /// The module.
        module: String,
        /// The version that was the canary.
        digest: String,
    },
    /// A version that served before serves again.
    Deployed(Deployed),
}

impl Admin {
    /// Goes back to the version `to` (its digest, or the beginning of it), or to the one that was active before. While
    /// a canary serves and no version is named, ends the canary.
    ///
    /// # Errors
    /// [`AdminError::NoModule`], [`AdminError::CanaryOver`], or as for [`Admin::deploy`].
    pub async fn roll_back(
        &self,
        module: &str,
        to: Option<String>,
        options: &RolloutOptions,
        tell: impl FnMut(&Stage),
    ) -> Result<RolledBack, AdminError> {
        let record = self.record(module).await?;
        let module = record.name.clone();
        if record.canary.is_some() && to.is_none() {
            let digest = self.end_canary(record, &options.by).await?;
            return Ok(RolledBack::CanaryEnded { module, digest });
        }
        // Messages that the version before does not take run on the version that they were checked against.
        let options = RolloutOptions {
            canary: None,
            allow_breaking: true,
            ..options.clone()
        };
        let target = RolloutTarget::RollBack(to);
        let rolled = self.roll_out(&module, &target, |_| Vec::new(), &options, tell);
        Ok(RolledBack::Deployed(rolled.await?))
    }

    /// Ends the canary by compare-and-set: a worker may judge it at the same time.
    async fn end_canary(&self, mut record: ModuleRecord, by: &str) -> Result<String, AdminError> {
        let registry = &self.connected.registry;
        loop {
            let module = record.name.clone();
            let Some(canary) = record.canary.clone() else {
                return Err(AdminError::CanaryOver { module });
            };
            let entry = AuditEntry {
                at: self.clock.now(),
                by: by.to_owned(),
                action: "rollback".into(),
                module: module.clone(),
                digest: canary.digest.clone(),
                detail: "the canary was ended by hand".into(),
            };
            let next = record.end_canary(&canary.id)?;
            if registry.replace(&next, &entry).await?.is_some() {
                return Ok(canary.digest);
            }
            record = registry.module(&module).await?.unwrap_or_default();
        }
    }
}
