//! The registry: which modules a fleet runs, in which version, and how a new version gets there.
//!
//! A module's whole state is one [`ModuleRecord`]. It is changed by pure functions (`transition.rs`) and
//! stored by compare-and-set, so every store behaves the same and two deploys can't both win. Must not
//! know what WebAssembly is: to the registry a module is bytes with a digest.
//!
//! ```
//! use chicory_clock::Timestamp;
//! use chicory_registry::{Canary, CanaryCounts, CanaryTerms, Verdict, judge};
//!
//! let since = Timestamp::parse("2026-01-24T10:30:00Z")?;
//! let canary = Canary {
//!     id: "rollout-7".into(),
//!     digest: "9f86d081884c7d65".into(),
//!     by: "ada@laptop".into(),
//!     since,
//!     terms: CanaryTerms { percent: 5.0, margin: 2.0, hold: 60.0, min_tasks: 20 },
//! };
//! let mut counts = CanaryCounts { canary_ok: 40, active_ok: 960, active_failed: 3, ..Default::default() };
//! let minute_later = since.after(std::time::Duration::from_secs(60));
//! assert_eq!(judge(&canary, &counts, since), Verdict::Wait);
//! assert_eq!(judge(&canary, &counts, minute_later), Verdict::Promote);
//!
//! counts.canary_failed = 4;
//! assert!(matches!(judge(&canary, &counts, minute_later), Verdict::RollBack(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod beside;
mod canary;
mod check;
mod deployer;
mod error;
mod fleet;
mod forget;
mod hash;
mod needed;
mod record;
mod refused;
mod route;
pub mod stored;
mod tenant;
#[cfg(test)]
mod tests;
mod transition;
mod unreadable;

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use chicory_clock::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use self::canary::{CanaryCounts, Verdict, judge};
pub use self::deployer::{Deployer, RolledOut, RolloutError, RolloutTarget, Stage};
pub use self::error::{RegistryError, StoreError};
pub use self::fleet::{Fleet, QueuedMessage, QueuedMessages, Visit};
pub use self::forget::{ForgetRequest, Forgotten, delete_unnamed, forget};
pub use self::hash::stable_hash;
pub use self::record::{
    Activation, Canary, CanaryTerms, ModuleRecord, Phase, Rollout, RolloutRequest, Version,
};
pub use self::refused::DeployRefused;
pub use self::route::{NoVersion, TaskVersion, TaskVersions};
pub use self::tenant::modules_of;
pub use self::transition::RetentionRule;
pub use self::unreadable::{Changes, RecordFault, UnreadableRecord};

/// A line of the audit log, which records every change of what a fleet runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: `user@host` for people, a worker's id where a worker acted by itself.
    pub by: String,
    /// What: `deploy`, `switch`, `activate`, `canary`, `promote`, `rollback`, `abort`, `forget`, `trust-policy`.
    pub action: String,
    /// The module; empty where it is about none.
    pub module: String,
    /// The version's digest; empty where it is about none.
    pub digest: String,
    /// Details, for people.
    pub detail: String,
}

/// One worker's report on a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// Who.
    pub worker_id: String,
    /// Its progress.
    pub progress: Progress,
}

/// A worker's progress with a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Fetched, verified and compiled; the version before still serves.
    Ready,
    /// New tasks start on the new version.
    Switched,
    /// It can't run this version; the reason.
    Refused(String),
}

/// Where modules are kept for a fleet.
#[async_trait]
pub trait Registry: Debug + Send + Sync {
    /// Stores a module's bytes under their digest. Bytes that are there already stay.
    async fn put_blob(&self, digest: &str, bytes: Bytes) -> Result<(), RegistryError>;

    /// The bytes under a digest, as they are stored: the reader checks the digest.
    async fn blob(&self, digest: &str) -> Result<Option<Bytes>, RegistryError>;

    /// Deletes the bytes under a digest.
    async fn delete_blob(&self, digest: &str) -> Result<(), RegistryError>;

    /// The names of all modules that have a record.
    async fn names(&self) -> Result<Vec<String>, RegistryError>;

    /// A module's record, by the name that it was deployed by. Fails with [`RegistryError::Record`] if it can't
    /// be read.
    async fn module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError>;

    /// The same, by the module's name in any spelling.
    async fn find_module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError>;

    /// The records that changed after the registry's revision `since` (0 for all of them). One that can't be
    /// read is listed apart, and doesn't keep the others from being read.
    async fn changed(&self, since: u64) -> Result<Changes, RegistryError>;

    /// Stores a record in place of the one whose revision it carries (0 for none), together with a line
    /// in the audit log, and wakes the watchers. Returns its new revision, or `None` if the module was
    /// changed in the meantime: then nothing was stored. A record that readers would refuse is not stored.
    async fn replace(
        &self,
        record: &ModuleRecord,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, RegistryError>;

    /// Stores a worker's progress with a rollout, in place of its earlier report.
    async fn report(&self, rollout: &str, report: &WorkerReport) -> Result<(), RegistryError>;

    /// The workers' reports on a rollout.
    async fn reports(&self, rollout: &str) -> Result<Vec<WorkerReport>, RegistryError>;

    /// Adds to the counts of a canary, and returns what all workers have counted.
    async fn count(&self, canary: &str, added: CanaryCounts)
    -> Result<CanaryCounts, RegistryError>;

    /// The newest lines of the audit log, newest first.
    async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, RegistryError>;

    /// Notes the trust policy that a worker starts with. If it differs from the last one noted, it becomes a
    /// line in the audit log; returns whether it did.
    async fn note_policy(&self, policy: &str, entry: &AuditEntry) -> Result<bool, RegistryError>;

    /// Wake-ups when something has changed. Some may be lost, so look every few seconds as well.
    async fn watch(&self) -> Result<mpsc::Receiver<()>, RegistryError>;

    /// The same for a worker, which is known to be there for as long as the receiver lives, see [`Registry::present`].
    async fn watch_as(&self, worker_id: &str) -> Result<mpsc::Receiver<()>, RegistryError> {
        let _ = worker_id;
        self.watch().await
    }

    /// For each of these workers, whether it watches now, which ends with its process. `None` where the store can't
    /// tell.
    async fn present(&self, worker_ids: &[String]) -> Result<Option<Vec<bool>>, RegistryError> {
        let _ = worker_ids;
        Ok(None)
    }
}
