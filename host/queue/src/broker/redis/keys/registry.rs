//! The names of the registry's keys and channels.
//!
//! Must not know what they hold.

use super::super::topology::Topology;

/// The names of the registry's keys. All but the blobs' share a slot on Redis Cluster.
#[derive(Debug, Clone)]
pub(in super::super) struct RegistryKeys {
    prefix: String,
    root: String,
}

impl RegistryKeys {
    pub(in super::super) fn new(prefix: &str, topology: Topology) -> Self {
        Self {
            prefix: prefix.to_owned(),
            root: format!("{prefix}:{}", topology.tag("registry")),
        }
    }

    /// The hash of modules' records, by name.
    pub(in super::super) fn records(&self) -> String {
        format!("{}:records", self.root)
    }

    /// The sorted set of modules' names, by the revision of their last change.
    pub(in super::super) fn revisions(&self) -> String {
        format!("{}:revisions", self.root)
    }

    /// The counter of all changes.
    pub(in super::super) fn revision(&self) -> String {
        format!("{}:revision", self.root)
    }

    /// The stream of the audit log.
    pub(in super::super) fn audit(&self) -> String {
        format!("{}:audit", self.root)
    }

    /// The trust policy that was noted last.
    pub(in super::super) fn policy(&self) -> String {
        format!("{}:policy", self.root)
    }

    /// The hash of what workers said about a rollout.
    pub(in super::super) fn rollout(&self, id: &str) -> String {
        format!("{}:rollout:{id}", self.root)
    }

    /// The hash of a canary's counts.
    pub(in super::super) fn canary(&self, id: &str) -> String {
        format!("{}:canary:{id}", self.root)
    }

    /// The channel that announces changes.
    pub(in super::super) fn changed(&self) -> String {
        format!("{}:changed", self.root)
    }

    /// The channel that a worker listens to as long as it is alive.
    pub(in super::super) fn present(&self, worker_id: &str) -> String {
        format!("{}:present:{worker_id}", self.root)
    }

    /// A module's bytes.
    pub(in super::super) fn blob(&self, digest: &str) -> String {
        format!("{}:blob:{digest}", self.prefix)
    }
}
