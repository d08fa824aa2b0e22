//! Why a module can't be used on this worker.
//!
//! Must not know what follows from it.

use std::io;

use chicory_queue::RegistryError;
use chicory_runtime::LoadError;
use chicory_signature::{NameConflict, NameError};

use super::manifest::ManifestError;
use super::policy::{Cut, PolicyError};
use super::trust::TrustError;

/// Why a module can't be used on this worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// It can't have the name it asks for.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The names of some of its tasks would be ambiguous beside another module's.
    #[error(transparent)]
    Conflict(#[from] NameConflict),
    /// Its file can't be read.
    #[error("can't be read")]
    Unreadable(#[from] io::Error),
    /// Its manifest is not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Its manifest has settings for a task that the module does not have.
    #[error("the manifest's [tasks.{task}] names no task of the module; it has {tasks}")]
    UnknownTask {
        /// The name in the manifest.
        task: String,
        /// The module's tasks.
        tasks: String,
    },
    /// The trust policy refuses it.
    #[error(transparent)]
    Untrusted(#[from] TrustError),
    /// It asks for more than the operator allows.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The sandbox can't load it.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The sandbox can't load it with the grants and limits that the operator's policy leaves it.
    #[error("the operator's policy leaves it {}", joined(.cuts))]
    Cut {
        /// What the policy took away.
        cuts: Vec<Cut>,
        /// Why that is too little.
        source: LoadError,
    },
    /// The registry lists it under a name that is not its own.
    #[error("it was made for the module {own:?}, but the registry lists it as {module:?}")]
    OtherModule {
        /// The name in its manifest.
        own: String,
        /// The name in the registry.
        module: String,
    },
    /// What the registry names is not a digest.
    #[error("{digest:?} is not a SHA-256 digest")]
    NotADigest {
        /// What it names.
        digest: String,
    },
    /// Its bytes can't be fetched from the registry.
    #[error("its bytes can't be fetched")]
    NotFetched(#[source] RegistryError),
    /// The registry does not have its bytes.
    #[error("the registry has no bytes with the digest {digest}")]
    NoBytes {
        /// The digest.
        digest: String,
    },
    /// Its bytes are not those that were deployed.
    #[error(
        "its bytes in the registry have the digest {found}, not {wanted}: they are damaged or were tampered with"
    )]
    Tampered {
        /// The digest of what was fetched.
        found: String,
        /// The digest that was asked for.
        wanted: String,
    },
    /// The registry names a task that the module does not have.
    #[error(
        "the registry says that version {digest} has a task `{task}`, but its code does not have it"
    )]
    NoSuchTask {
        /// The version.
        digest: String,
        /// The task.
        task: String,
    },
}

impl ModuleError {
    /// Why a module can't be loaded, if the policy may have left it too little.
    pub(super) fn too_little(source: LoadError, cuts: Vec<Cut>) -> Self {
        match source {
            LoadError::Ungranted { .. } | LoadError::Settings { .. } if !cuts.is_empty() => {
                Self::Cut { cuts, source }
            }
            source => Self::Load(source),
        }
    }
}

fn joined(cuts: &[Cut]) -> String {
    let lines: Vec<_> = cuts.iter().map(ToString::to_string).collect();
    lines.join(", ")
}
