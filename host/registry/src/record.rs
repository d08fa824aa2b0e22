//! A module's state in the registry, as it is stored: one JSON document.
//!
//! Must not know how it changes: [`super::transition`] does.

use std::collections::BTreeMap;

use chicory_signature::Signature;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::stable_hash;

use chicory_clock::Timestamp;

/// Everything about one module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its name, the first part of its tasks' names.
    pub name: String,
    /// The registry's revision at the last change of this record; the store sets it. 0: never stored.
    #[serde(default)]
    pub revision: u64,
    /// All versions that are kept, oldest first.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// The digest of the version that serves; none before the first rollout has ended.
    #[serde(default)]
    pub active: Option<String>,
    /// What has been active, oldest first.
    #[serde(default)]
    pub history: Vec<Activation>,
    /// The rollout under way.
    #[serde(default)]
    pub rollout: Option<Rollout>,
    /// The version that serves a share of the messages.
    #[serde(default)]
    pub canary: Option<Canary>,
}

/// One version of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub digest: String,
    /// Size of its bytes.
    pub size: u64,
    /// Its name for people, such as `1.2.0`.
    #[serde(default)]
    pub version: Option<String>,
    /// Its tasks, each with its signature.
    #[serde(default)]
    pub tasks: BTreeMap<String, Signature>,
    /// The manifest that it is deployed with. Workers take retries and delivery from here, but grants only
    /// from the bytes, which the digest and the signature cover.
    #[serde(default)]
    pub manifest: Value,
    /// Who deployed it.
    pub deployed_by: String,
    /// When it was deployed.
    pub deployed_at: Timestamp,
    /// A detached signature of its bytes, in minisign's format.
    #[serde(default)]
    pub signature: Option<String>,
    /// The address in an OCI registry that it was pulled from, with its digest there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it is about to be forgotten: no new message may name it.
    #[serde(default)]
    pub retiring: bool,
}

/// A version became the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// The version.
    pub digest: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// How: `deploy`, `rollback` or `promote`.
    pub how: String,
}

/// A version on its way to all workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Unique among all rollouts.
    pub id: String,
    /// The version.
    pub digest: String,
    /// Who began it.
    pub by: String,
    /// `deploy` or `rollback`.
    pub how: String,
    /// How far it is.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// When it expires, in case its author is gone and doesn't end it.
    pub expires_at: Timestamp,
    /// Whether it ends as a canary, and on which terms.
    #[serde(default)]
    pub canary: Option<CanaryTerms>,
}

/// A rollout's phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Workers fetch, verify and compile it; the version before serves.
    Preparing,
    /// All were ready: each starts new tasks on the new version as soon as it hears of it.
    Switching,
}

/// When a canary is rolled back, and when it becomes the active version.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CanaryTerms {
    /// Its share of messages, 0 to 100.
    pub percent: f64,
    /// How many percentage points its failure rate may be above the active version's.
    pub margin: f64,
    /// Seconds that it must serve before it is promoted.
    pub hold: f64,
    /// Tasks that it must have run before it is judged.
    pub min_tasks: u64,
}

impl Default for CanaryTerms {
    fn default() -> Self {
        Self {
            percent: 5.0,
            margin: 5.0,
            hold: 60.0,
            min_tasks: 20,
        }
    }
}

/// A version that serves a share of the messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Its rollout's id; also names its counts.
    pub id: String,
    /// The version.
    pub digest: String,
    /// Who began it.
    pub by: String,
    /// Since when it serves.
    pub since: Timestamp,
    /// Its terms.
    pub terms: CanaryTerms,
}

/// A request to roll a version out.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutRequest {
    /// Unique among all rollouts.
    pub id: String,
    /// Who begins it.
    pub by: String,
    /// Now.
    pub now: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it ends as a canary.
    pub canary: Option<CanaryTerms>,
    /// Whether changes are allowed that queued messages may not fit.
    pub allow_breaking: bool,
}

impl ModuleRecord {
    /// A module that has one version, which is active. For one that no registry keeps.
    pub fn of_one(name: &str, version: Version) -> Self {
        Self {
            name: name.to_owned(),
            active: Some(version.digest.clone()),
            versions: vec![version],
            ..Self::default()
        }
    }

    /// The version with this digest.
    pub fn version(&self, digest: &str) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.digest == digest)
    }

    /// The active version.
    pub fn active_version(&self) -> Option<&Version> {
        self.version(self.active.as_deref()?)
    }

    /// Whether this version has been active.
    pub fn has_served(&self, digest: &str) -> bool {
        self.history.iter().any(|past| past.digest == digest)
    }

    /// The digest of the version that workers should start new tasks on.
    pub fn serving(&self) -> Option<&str> {
        match &self.rollout {
            Some(rollout) if rollout.phase == Phase::Switching => Some(&rollout.digest),
            _ => self.active.as_deref(),
        }
    }
}

impl Canary {
    /// Whether the message with this id is in the canary's share. The same on every worker.
    pub fn takes(&self, message_id: &str) -> bool {
        let bucket = stable_hash(message_id.bytes()) % 10_000;
        #[expect(clippy::cast_precision_loss, reason = "below 10,000")]
        let bucket = bucket as f64;
        bucket < self.terms.percent * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(percent: f64) -> Canary {
        Canary {
            id: "c".into(),
            digest: "d".into(),
            by: "me".into(),
            since: Timestamp::from_micros(0),
            terms: CanaryTerms {
                percent,
                ..CanaryTerms::default()
            },
        }
    }

    #[test]
    fn a_canary_takes_its_share() {
        for (percent, low, high) in [
            (0.0, 0, 0),
            (5.0, 400, 600),
            (50.0, 4_700, 5_300),
            (100.0, 10_000, 10_000),
        ] {
            let canary = canary(percent);
            let taken = (0..10_000)
                .filter(|number| canary.takes(&format!("0193-{number:08x}")))
                .count();
            assert!((low..=high).contains(&taken), "{percent}: {taken}");
        }
    }

    #[test]
    fn a_record_of_little_is_read() {
        let record: ModuleRecord = serde_json::from_str(r#"{"name":"m"}"#).unwrap();
        assert_eq!(record.name, "m");
        assert_eq!(record.serving(), None);
    }
}
