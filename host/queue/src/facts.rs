//! What a store says about itself: for operators, and for warnings before anything is lost.
//!
//! Must not judge: the code that shows the facts says what is good or bad.

use serde::Serialize;

/// One server, or one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StoreFacts {
    /// Which node of a Cluster; empty if there is only one.
    pub node: String,
    /// Its name and version, such as `Redis 7.2.4`.
    pub product: String,
    /// The version of Redis that its commands correspond to, as major and minor.
    pub version: Option<(u32, u32)>,
    /// What it does when its memory is full (`maxmemory-policy`).
    pub eviction: Option<String>,
    /// Bytes of memory that it uses.
    pub memory_used: Option<u64>,
    /// Bytes of memory that it may use; `None` if there is no limit.
    pub memory_limit: Option<u64>,
    /// Bytes of memory that its machine has.
    pub memory_of_machine: Option<u64>,
    /// Whether each change is appended to a file.
    pub appends: Option<bool>,
    /// Whether it saves snapshots; `None` if that can't be found out.
    pub snapshots: Option<bool>,
    /// Why the last attempt to write to its disk failed.
    pub write_failed: Option<String>,
    /// Whether it is a replica, which takes no writes.
    pub is_replica: Option<bool>,
    /// Number of replicas that follow it.
    pub replicas: Option<u64>,
    /// How far its clock is ahead of this machine's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}
