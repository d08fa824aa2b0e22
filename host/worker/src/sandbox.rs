//! Tasks that run in sandboxes: modules, their manifests, and the versions that a fleet serves.
//!
//! The only place that turns a message into an `Invocation` and an `Ended` into an `Outcome`. Must not know how a
//! message is fetched or settled.

mod admission;
mod bundle;
mod catalog;
mod error;
mod fleet;
mod manifest;
mod module_dir;
mod policy;
mod translate;
mod trust;

pub use admission::Admission;
pub use bundle::{Bundle, digest};
pub use catalog::{Catalog, CatalogTask, LoadReport, Refusal, ResolveError};
pub use error::ModuleError;
pub use fleet::{Fleet, FleetConfig};
pub use manifest::{Manifest, ManifestError, TaskSettings};
pub use module_dir::ModuleDir;
pub use policy::{
    Allowed, BadCeiling, Cut, Excess, POLICY_KEYS, Policy, PolicyError, Rule as PolicyRule,
};
pub use trust::{Standing, Trust, TrustError, signature_file};
