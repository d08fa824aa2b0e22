//! Chicory's worker: it fetches messages, runs their tasks and settles them, and has the duties around that.
//!
//! Tasks are found and run by a [`Runner`]: sandboxed modules (a `Catalog`, with the feature `sandbox`) or closures of
//! this program ([`NativeTasks`]). Must not know Redis or `SQLite`, nor how a sandbox works inside.

mod admit;
mod alarm;
mod attempt;
mod backoff;
mod config;
mod context;
mod decoding;
mod drain;
mod duty;
mod error;
mod execute;
mod health;
mod held;
mod lane;
mod native;
mod observer;
mod result;
#[cfg(feature = "sandbox")]
mod sandbox;
mod stop;
mod summary;
mod turn;
mod unacknowledged;
mod work;
mod worker;

pub use attempt::call::Call;
pub use attempt::runner::{Ended, FnRunner, Runnable, Runner, Running, TaskNotFound, TaskProfile};
pub use chicory_signature::{Level, LogLine, Note, Usage};
pub use config::WorkerConfig;
pub use error::WorkerError;
pub use native::NativeTasks;
pub use observer::{
    AttemptEnd, AttemptEnded, AttemptInfo, EventChannel, Observer, Said, WorkerEvent,
};
#[cfg(feature = "sandbox")]
pub use sandbox::{
    Admission, Allowed, BadCeiling, Bundle, Catalog, CatalogTask, Cut, Excess, Fleet, FleetConfig,
    LoadReport, Manifest, ManifestError, ModuleDir, ModuleError, POLICY_KEYS, Policy, PolicyError,
    PolicyRule, Refusal, ResolveError, Standing, TaskSettings, Trust, TrustError, digest,
    signature_file,
};
pub use stop::Stop;
pub use summary::Summary;
pub use worker::Worker;
