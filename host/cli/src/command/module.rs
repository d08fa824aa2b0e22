//! A module from a file, and a sandbox to look at it or run it in, without a worker.
//!
//! Must not know what is done with the module.

use std::path::Path;

use anyhow::Context as _;
use chicory_runtime::{LoadRequest, Sandbox, SandboxConfig};
use chicory_worker::Manifest;

use super::compile;
use crate::config::Config;
use crate::exit::CommandError;

/// A sandbox for one call at a time.
pub(super) fn sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    make(config, false)
}

/// The same, with files and lines in backtraces: for the user's own modules.
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
    /// What holds for it: its own words, and the manifest beside it.
    pub(super) manifest: Manifest,
}

/// Reads the module's bytes, and its manifest.
pub(super) fn read(file: &Path) -> anyhow::Result<FromFile> {
    let wasm = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let manifest = Manifest::beside(file, &wasm)
        .map_err(|error| CommandError::Usage(format!("{}: {error}", file.display())))?;
    let stem = file.file_stem().unwrap_or_default();
    let request = LoadRequest {
        name: (manifest.name.clone()).unwrap_or_else(|| stem.to_string_lossy().into_owned()),
        wasm,
        settings: manifest.settings(),
    };
    Ok(FromFile { request, manifest })
}
