//! Tasks that run in sandboxes: modules, their manifests, and the versions that a fleet serves.
//!
//! Alone turns a message into an `Invocation` and an `Ended` into an `Outcome`. Must not know how a message is
//! fetched or settled.

mod bundle;
mod catalog;
mod error;
mod fleet;
mod manifest;
mod module_dir;
mod translate;
mod trust;

pub use bundle::{Bundle, digest};
pub use catalog::{Catalog, CatalogTask, LoadReport, Refusal, ResolveError};
pub use error::ModuleError;
pub use fleet::{Fleet, FleetConfig};
pub use manifest::{Manifest, ManifestError, TaskSettings};
pub use module_dir::ModuleDir;
pub use trust::{Trust, TrustError, signature_file};
