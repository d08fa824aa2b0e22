//! The registry's modules as an operator looks at them. Changes nothing.
//!
//! Must not know how the registry is kept.

use std::fmt;

use chicory_queue::{
    Activation, AuditEntry, CanaryCounts, ModuleRecord, Phase, RegistryError, Timestamp,
    UnreadableRecord, WorkerReport,
};
use chicory_signature::{short_digest, with_causes};
use serde::Serialize;

use crate::{Admin, AdminError};

/// A module in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleRow {
    /// Its name.
    pub module: String,
    /// The active version's name for people.
    pub version: Option<String>,
    /// The active version's digest.
    pub digest: Option<String>,
    /// The number of the active version's tasks.
    pub tasks: usize,
    /// Since when the version has been active.
    pub since: Option<Timestamp>,
    /// Who made it active.
    pub by: Option<String>,
    /// The number of versions that are kept.
    pub versions: usize,
    /// What is under way with the module.
    #[serde(serialize_with = "shown")]
    pub state: ModuleState,
}

fn shown<S: serde::Serializer>(state: &ModuleState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(state)
}

/// What is under way with a module.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ModuleState {
    /// A version is on its way to the workers.
    RollingOut {
        /// How far it is.
        phase: Phase,
        /// The version.
        digest: String,
        /// When it expired; none while it is under way.
        expired: Option<Timestamp>,
    },
    /// A version serves a share of the messages.
    Canary {
        /// The version.
        digest: String,
        /// Its share.
        percent: f64,
    },
    /// A version serves, and nothing is under way.
    Active,
    /// No version serves.
    Inactive,
    /// The registry's record of it can't be read.
    Unreadable {
        /// Why not.
        reason: String,
    },
}

impl ModuleState {
    /// What is under way with this module now.
    pub fn of(record: &ModuleRecord, now: Timestamp) -> Self {
        if let Some(rollout) = &record.rollout {
            return Self::RollingOut {
                phase: rollout.phase,
                digest: rollout.digest.clone(),
                expired: (rollout.expires_at <= now).then_some(rollout.expires_at),
            };
        }
        if let Some(canary) = &record.canary {
            return Self::Canary {
                digest: canary.digest.clone(),
                percent: canary.terms.percent,
            };
        }
        match record.active {
            Some(_) => Self::Active,
            None => Self::Inactive,
        }
    }
}

impl fmt::Display for ModuleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RollingOut {
                phase,
                digest,
                expired,
            } => {
                let what = match phase {
                    Phase::Preparing => "workers get ready for",
                    Phase::Switching => "workers switch to",
                };
                write!(f, "{what} {}", short_digest(digest))?;
                match expired {
                    Some(at) => write!(f, ", expired at {}", at.whole_seconds()),
                    None => Ok(()),
                }
            }
            Self::Canary { digest, percent } => {
                write!(f, "canary {}: {percent} %", short_digest(digest))
            }
            Self::Active => f.write_str("active"),
            Self::Inactive => f.write_str("not active"),
            Self::Unreadable { reason } => write!(f, "record can't be read: {reason}"),
        }
    }
}

impl ModuleRow {
    /// The line of a module.
    pub fn new(record: ModuleRecord, now: Timestamp) -> Self {
        let state = ModuleState::of(&record, now);
        let active = record.active_version();
        let since = record.history.last().filter(|_| active.is_some());
        Self {
            version: active.and_then(|version| version.version.clone()),
            tasks: active.map_or(0, |version| version.tasks.len()),
            since: since.map(|activation| activation.at),
            by: since.map(|activation| activation.by.clone()),
            versions: record.versions.len(),
            state,
            module: record.name,
            digest: record.active,
        }
    }
}

impl ModuleRow {
    /// Whether its record can't be read.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.state, ModuleState::Unreadable { .. })
    }
}

impl From<UnreadableRecord> for ModuleRow {
    fn from(unreadable: UnreadableRecord) -> Self {
        Self {
            module: unreadable.module,
            version: None,
            digest: None,
            tasks: 0,
            since: None,
            by: None,
            versions: 0,
            state: ModuleState::Unreadable {
                reason: with_causes(&unreadable.source),
            },
        }
    }
}

/// A module, and what workers say about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModuleDetail {
    /// Everything that the registry knows.
    #[serde(flatten)]
    pub record: ModuleRecord,
    /// What workers said about the rollout that is under way, by worker.
    pub reports: Vec<WorkerReport>,
    /// How attempts have ended since the canary began.
    pub canary_counts: Option<CanaryCounts>,
}

/// A version became the active one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Activated {
    /// When, by whom, and how.
    #[serde(flatten)]
    pub activation: Activation,
    /// The version's name for people.
    pub version: Option<String>,
    /// The address that it was pulled from.
    pub source: Option<String>,
    /// Whether the version is still kept.
    pub kept: bool,
}

impl Activated {
    /// A module's history, the newest first.
    pub fn history(record: &ModuleRecord) -> Vec<Self> {
        let activations = record.history.iter().rev().map(|activation| {
            let version = record.version(&activation.digest);
            Self {
                activation: activation.clone(),
                version: version.and_then(|version| version.version.clone()),
                source: version.and_then(|version| version.source.clone()),
                kept: version.is_some(),
            }
        });
        activations.collect()
    }
}

impl Admin {
    /// All deployed modules, by name. One whose record can't be read is among them, with the reason as its state.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn modules(&self) -> Result<Vec<ModuleRow>, AdminError> {
        let now = self.clock.now();
        let changes = self.connected.registry.changed(0).await?;
        let records = changes.records.into_iter();
        let rows = records.map(|record| ModuleRow::new(record, now));
        let mut rows: Vec<_> = rows
            .chain(changes.unreadable.into_iter().map(ModuleRow::from))
            .collect();
        rows.sort_by(|one, other| one.module.cmp(&other.module));
        Ok(rows)
    }

    /// One module's record, by its name in any spelling.
    ///
    /// # Errors
    /// [`AdminError::NoModule`] names those that are deployed; or the broker can't be reached.
    pub async fn record(&self, module: &str) -> Result<ModuleRecord, AdminError> {
        if let Some(record) = self.connected.registry.find_module(module).await? {
            return Ok(record);
        }
        let known = self.modules().await?;
        Err(AdminError::NoModule {
            module: module.to_owned(),
            known: known.into_iter().map(|row| row.module).collect(),
        })
    }

    /// Puts an empty record in the place of one that can't be read, so that the module is as if it had never been
    /// deployed. A record that a newer Chicory wrote is left as it is.
    ///
    /// # Errors
    /// [`AdminError::Readable`] where the record can be read; or as for [`Admin::record`].
    pub async fn reset_module(&self, module: &str, by: &str) -> Result<(), AdminError> {
        let registry = &self.connected.registry;
        loop {
            let unreadable = match self.record(module).await {
                Err(AdminError::Registry(RegistryError::Record(unreadable)))
                    if !unreadable.source.is_newer() =>
                {
                    unreadable
                }
                Err(error) => return Err(error),
                Ok(record) => {
                    return Err(AdminError::Readable {
                        module: record.name,
                    });
                }
            };
            let entry = AuditEntry {
                at: self.clock.now(),
                by: by.to_owned(),
                action: "reset".into(),
                module: unreadable.module.clone(),
                digest: String::new(),
                detail: format!("its record could not be read: {}", unreadable.source),
            };
            if (registry.replace(&unreadable.replaced(), &entry).await?).is_some() {
                return Ok(());
            }
        }
    }

    /// One module, with what workers say about its rollout or canary.
    ///
    /// # Errors
    /// As for [`Admin::record`].
    pub async fn module(&self, module: &str) -> Result<ModuleDetail, AdminError> {
        let record = self.record(module).await?;
        let registry = &self.connected.registry;
        let mut reports = match &record.rollout {
            Some(rollout) => registry.reports(&rollout.id).await?,
            None => Vec::new(),
        };
        reports.sort_by(|one, other| one.worker_id.cmp(&other.worker_id));
        let canary_counts = match &record.canary {
            Some(canary) => Some(registry.count(&canary.id, CanaryCounts::default()).await?),
            None => None,
        };
        Ok(ModuleDetail {
            record,
            reports,
            canary_counts,
        })
    }

    /// Which versions of a module have been active, the newest first.
    ///
    /// # Errors
    /// As for [`Admin::record`].
    pub async fn history(&self, module: &str) -> Result<Vec<Activated>, AdminError> {
        Ok(Activated::history(&self.record(module).await?))
    }

    /// The newest lines of the audit log, the newest first.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, AdminError> {
        Ok(self.connected.registry.audit(limit).await?)
    }
}
