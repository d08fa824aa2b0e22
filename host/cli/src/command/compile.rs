//! `chicory compile`, hidden: the process that other commands start to compile a module.
//!
//! Must work without a valid configuration. Must not know why a module is compiled.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chicory_runtime::{Compiler, SandboxConfig, serve_compiler};

use crate::config::WorkerSettings;

/// The settings of every sandbox: the worker's, for one call at a time, with this program as the compiler.
pub(super) fn sandbox(settings: &WorkerSettings) -> anyhow::Result<SandboxConfig> {
    Ok(SandboxConfig {
        concurrency: 1,
        max_memory: settings.max_memory,
        cache_dir: settings.cache_dir.clone(),
        cache_bytes: settings.cache_size,
        max_module_bytes: usize::try_from(settings.max_module_size)?,
        compile_timeout: settings.compile_timeout,
        features: settings.wasm_features,
        shape: settings.shape,
        compiler: Some(Compiler {
            program: program()?,
            args: vec!["compile".into()],
            max_memory: settings.compile_memory,
        }),
        ..SandboxConfig::default()
    })
}

/// Compiles a module from standard input.
pub(crate) fn run() -> ExitCode {
    serve_compiler()
}

/// This program, even after its file has been replaced by another version.
pub(super) fn program() -> anyhow::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return Ok(running);
    }
    std::env::current_exe()
        .context("can't find this program's own file, by which it starts other processes")
}
