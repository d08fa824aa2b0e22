//! Chicory's worker: the joint of queue and sandbox, and the duties around it.
//!
//! Must not know Redis or `SQLite`, nor how a sandbox works inside.

mod alarm;
mod attempt;
mod backoff;
mod config;
mod context;
mod drain;
mod duty;
mod execute;
mod health;
mod held;
mod lane;
mod observer;
mod runner;
mod sandbox;
mod stop;
mod worker;

pub use config::WorkerConfig;
pub use observer::{Said, TaskEnd, WorkerEvent};
pub use runner::{FnRunner, Runner, Running};
pub use sandbox::{
    Bundle, Catalog, CatalogTask, Fleet, FleetConfig, LoadReport, Manifest, ManifestError,
    ModuleDir, ResolveError, TaskSettings, Trust, TrustError, digest, outcome,
};
pub use stop::Stop;
pub use worker::{Summary, Worker};
