//! Chicory's queue: messages, retry policy, decisions, brokers, results.
//!
//! Knows what a message is, what happens to it after an outcome, and where it is kept.
//! Must not know how a task runs: nothing here may depend on the sandbox.

mod broker;
mod client;
mod config;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod decide;
mod delivery;
mod error;
mod facts;
#[cfg(any(feature = "redis", feature = "sqlite"))]
mod fairness;
mod id;
mod inspect;
mod lasting;
mod message;
mod outcome;
mod policy;
mod registry;
#[cfg(any(feature = "redis", feature = "sqlite"))]
mod replay;
mod results;
mod secret;
mod tenant;
mod validate;

pub use broker::{
    Broker, Connected, Enqueued, FetchRequest, OnDuplicate, Promoted, ReclaimRequest, Tenants,
    Wake, connect,
};
pub use chicory_clock::{Clock, InvalidTime, ManualClock, SystemClock, Timestamp};
pub use chicory_registry::{
    Activation, AuditEntry, Canary, CanaryCounts, CanaryTerms, Changes, DeployRefused, Deployer,
    ForgetRequest, Forgotten, ModuleRecord, NoVersion, Phase, Progress, RecordFault, Registry,
    RegistryError, RetentionRule, RolledOut, Rollout, RolloutError, RolloutRequest, RolloutTarget,
    Stage, TaskVersion, TaskVersions, UnreadableRecord, Verdict, Version, WorkerReport,
    delete_unnamed, judge, modules_of,
};
pub use chicory_signature::{Arguments, InvalidTenantName, RawJson, SharedStr, TenantName};
pub use client::{Base64, Call, CallError, Client, Nested, Started};
pub use config::{BrokerConfig, RedisConfig, RedisServer, RedisTls, ResultsConfig, SqliteConfig};
pub use decide::{DecideContext, decide};
pub use delivery::{Delivery, LARGE_BYTES, Lease, Payload, SettleRequest, Settled, Settlement};
pub use error::BrokerError;
pub use facts::StoreFacts;
pub use id::new_id;
pub use inspect::{
    Consumer, DeadLetter, DeadLetterRange, DelayedMessage, Inspect, QueueStats, ReplayOptions,
    ScanCursor, ScanPage, ScanPart,
};
pub use lasting::Lasting;
pub use message::{FORMAT, MAX_MESSAGE_BYTES, TaskMessage, UnreadableMessage};
pub use outcome::{Advice, Failure, Outcome};
pub use policy::{Backoff, RetryPolicy};
pub use results::{PURGED, Reply, ResultRecord, Results, TaskResult, TaskState, WorkerInfo};
pub use secret::{Secret, mask_url, unencoded};
pub use tenant::{Tenant, TenantSettings, WEIGHT};
pub use validate::{Checks, EnqueueError, ValidationMode};

/// How often a message may be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Acknowledged after the task has ended: a crash repeats the task, never loses it.
    #[default]
    AtLeastOnce,
    /// Acknowledged before the task starts: a crash loses the task, never repeats it.
    AtMostOnce,
}
