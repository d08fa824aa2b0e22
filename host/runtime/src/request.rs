//! A module that is to be loaded: what the caller gives, and what is known of it before it is compiled.
//!
//! Must not know where machine code comes from.

use sha2::{Digest, Sha256};

use crate::error::{InvalidModule, LoadError};
use crate::settings::ModuleSettings;

/// A module to load.
#[derive(Debug)]
pub struct LoadRequest {
    /// The module's name, for errors and as the name of a command-line program.
    pub name: String,
    /// A component or a core module, in the binary format.
    pub wasm: Vec<u8>,
    /// What its manifest says.
    pub settings: ModuleSettings,
}

/// A module on its way into the sandbox.
pub(crate) struct ModuleSource {
    pub(crate) name: String,
    pub(crate) wasm: Vec<u8>,
    pub(crate) settings: ModuleSettings,
    /// SHA-256, in hexadecimal.
    pub(crate) digest: String,
}

impl ModuleSource {
    /// Takes a request's parts, and computes the digest.
    pub(crate) fn of(request: LoadRequest) -> ModuleSource {
        let LoadRequest {
            name,
            wasm,
            settings,
        } = request;
        ModuleSource {
            digest: hex::encode(Sha256::digest(&wasm)),
            name,
            wasm,
            settings,
        }
    }

    /// Whether one of its tasks has a limit of fuel.
    pub(crate) fn fuel(&self) -> bool {
        let tasks = self.settings.task_limits.values();
        std::iter::once(&self.settings.limits)
            .chain(tasks)
            .any(|limits| limits.fuel.is_some())
    }

    pub(crate) fn invalid(&self, source: InvalidModule) -> LoadError {
        LoadError::Invalid {
            module: self.name.clone(),
            source,
        }
    }
}
