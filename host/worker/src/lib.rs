//! Chicory's worker: the joint of queue and sandbox, and the duties around it.
//!
//! Alone turns a `Delivery` into an `Invocation` and an `Ended` into an `Outcome`. Must not know
//! Redis or `SQLite`, nor how a sandbox works inside.

mod alarm;
mod bundle;
mod catalog;
mod config;
mod drain;
mod embedded;
mod event;
mod execute;
mod fetch;
mod fleet;
mod heartbeat;
mod lane;
mod manifest;
mod promote;
mod reclaim;
mod renew;
mod runner;
mod settle;
mod shift;
mod translate;
mod watch;
mod worker;

pub use bundle::{Bundle, digest};
pub use catalog::{Catalog, CatalogTask, LoadReport};
pub use config::WorkerConfig;
pub use drain::Stop;
pub use event::{Said, TaskEnd, WorkerEvent};
pub use fleet::{Fleet, FleetConfig, Trust, TrustError};
pub use manifest::{Manifest, ManifestError, TaskSettings};
pub use runner::{FnRunner, Runner, Running};
pub use translate::outcome;
pub use watch::ModuleDir;
pub use worker::{Summary, Worker};
