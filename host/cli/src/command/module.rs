//! A module from a file, and a sandbox to inspect it or run it in, without a worker.
//!
//! Must not know what is done with the module.

use std::path::Path;

use anyhow::Context as _;
use async_trait::async_trait;
use chicory_admin::{Cause, Inspector, Packed, Tasks};
use chicory_runtime::{LoadRequest, Sandbox, SandboxConfig};
use chicory_signature::with_causes;
use chicory_worker::{Bundle, Manifest, ManifestError};

use super::compile;
use crate::config::Config;
use crate::exit::CommandError;

/// A sandbox for one call at a time.
pub(super) fn sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    make(config, false)
}

/// The same, with files and lines in backtraces, for the user's own modules.
pub(super) fn sandbox_with_source_lines(config: &Config) -> anyhow::Result<Sandbox> {
    make(config, true)
}

fn make(config: &Config, source_lines: bool) -> anyhow::Result<Sandbox> {
    Ok(Sandbox::new(SandboxConfig {
        source_lines,
        ..compile::sandbox(&config.worker)?
    })?)
}

/// A module from a file.
pub(super) struct FromFile {
    /// For the sandbox.
    pub(super) request: LoadRequest,
    /// Its settings: what the module says about itself, overridden by the manifest next to it.
    pub(super) manifest: Manifest,
}

/// Reads the module's bytes, and its manifest.
pub(super) fn read(file: &Path) -> anyhow::Result<FromFile> {
    let wasm = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let manifest = Manifest::beside(file, &wasm).map_err(|error| {
        let text = format!("{}: {}", file.display(), with_causes(&error));
        match error {
            ManifestError::Damaged(_) => CommandError::Failed(text),
            _ => CommandError::Usage(text),
        }
    })?;
    let stem = file.file_stem().unwrap_or_default();
    let request = LoadRequest {
        name: (manifest.name.clone()).unwrap_or_else(|| stem.to_string_lossy().into_owned()),
        wasm,
        settings: manifest.settings(),
    };
    Ok(FromFile { request, manifest })
}

/// Checks modules that are to be deployed in a sandbox.
pub(super) struct SandboxInspector(Sandbox);

/// An inspector with a sandbox.
pub(super) fn inspector(config: &Config) -> anyhow::Result<SandboxInspector> {
    sandbox(config).map(SandboxInspector)
}

#[async_trait]
impl Inspector for SandboxInspector {
    fn open(&self, wasm: &[u8]) -> Result<Option<Packed>, Cause> {
        if !Bundle::is_packed(wasm) {
            return Ok(None);
        }
        packed(Bundle::open(wasm.to_vec())?).map(Some)
    }

    fn pack(&self, wasm: &[u8], manifest: &str) -> Result<Packed, Cause> {
        packed(Bundle::pack(wasm, manifest)?)
    }

    async fn tasks(&self, name: &str, packed: &Packed) -> Result<Tasks, Cause> {
        let bundle = Bundle::open(packed.bytes.clone())?;
        let request = LoadRequest {
            name: name.to_owned(),
            settings: bundle.manifest.settings(),
            wasm: bundle.bytes,
        };
        let module = self.0.load(request).await?;
        let tasks = module.tasks();
        Ok(tasks
            .map(|task| (task.full_name().to_owned(), task.signature().clone()))
            .collect())
    }
}

fn packed(bundle: Bundle) -> Result<Packed, Cause> {
    Ok(Packed {
        manifest: serde_json::to_value(&bundle.manifest)?,
        name: bundle.manifest.name,
        version: bundle.manifest.version,
        digest: bundle.digest,
        bytes: bundle.bytes,
    })
}
