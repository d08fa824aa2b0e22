//! What a module's manifest says about its sandbox: what it may access, and its limits.
//!
//! Must not know how a grant is linked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::size::Bytes;

/// The part of a module's manifest that concerns the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModuleSettings {
    /// What the module may access. What is not granted is not linked.
    pub grants: Grants,
    /// Limits of every task of the module.
    pub limits: Limits,
    /// Limits of single tasks, by their name inside the module. They take precedence over `limits`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub task_limits: BTreeMap<String, Limits>,
}

/// What a module may access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// The guest's environment variables. It never sees the host's.
    pub env: BTreeMap<String, String>,
    /// Clocks. On by default, because language runtimes need them.
    pub clocks: bool,
    /// Random numbers. On by default, because language runtimes need them.
    pub random: bool,
    /// Standard input and output. On by default. Output goes to the task's log.
    pub stdio: bool,
    /// Hosts that the guest may call over HTTP: `example.com`, `*.example.com`, `example.com:8080`,
    /// `127.0.0.1:8080`. Without a port, ports 80 and 443.
    pub http: Vec<String>,
    /// Directories of the host that the guest sees.
    pub dirs: Vec<DirGrant>,
    /// Interfaces that the embedder implements, see [`HostInterface`](crate::HostInterface). A name without a
    /// version grants all versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
}

impl Default for Grants {
    fn default() -> Self {
        Grants {
            env: BTreeMap::new(),
            clocks: true,
            random: true,
            stdio: true,
            http: Vec::new(),
            dirs: Vec::new(),
            interfaces: Vec::new(),
        }
    }
}

/// A directory of the host, as the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirGrant {
    /// The directory on the host.
    pub host: PathBuf,
    /// Its path inside the sandbox.
    pub guest: String,
    /// Whether the guest may write there.
    #[serde(default)]
    pub writable: bool,
    /// The most bytes that may be in the directory and below it. It is measured when a file is opened to be written,
    /// at most once a second; what is written in between is added. No limit by default: what one call may write has
    /// one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Bytes>,
}

/// A grant that can't be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// An entry of `http` is not a host.
    #[error(
        "`{0}` in [grants] http is not a host; write \"example.com\", \"*.example.com\" or \"127.0.0.1:8080\""
    )]
    Host(String),
    /// An entry of `dirs` is not there.
    #[error("[grants] dirs: {} is not a directory of this machine", .0.display())]
    Directory(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors() {
        let wrong = serde_json::json!({"grants": {"network": true}});
        let error = serde_json::from_value::<ModuleSettings>(wrong)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `network`"), "{error}");
    }

    #[test]
    fn clocks_random_and_stdio_are_granted_by_default() {
        let grants: Grants = serde_json::from_str("{}").unwrap();
        assert!(grants.clocks && grants.random && grants.stdio);
        assert!(grants.http.is_empty() && grants.dirs.is_empty() && grants.env.is_empty());
    }
}
