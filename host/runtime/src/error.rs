//! What can keep a sandbox from starting, or a module from being loaded.
//!
//! Must not know what a guest does once it runs: that is an `Ended`.

use std::fmt::Write as _;
use std::time::Duration;

use crate::capability::{InterfaceError, Need};

/// The sandbox can't be made on this machine, or with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refuses the settings, or the machine has too little address space for the pool.
    #[error(
        "can't start the sandbox: {0}; a lower concurrency or max_memory needs less address space"
    )]
    Engine(String),
    /// The cache of compiled modules can't be used.
    #[error("can't use {path} as the cache of compiled modules: {error}")]
    Cache {
        /// The directory.
        path: String,
        /// What is wrong with it.
        error: std::io::Error,
    },
    /// One of the embedder's interfaces can't be registered.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
}

/// A module that can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It imports what its manifest doesn't grant.
    #[error("module `{module}` can't be loaded:{}", list(needs))]
    Ungranted {
        /// The module's name.
        module: String,
        /// Each import, with the line that would grant it.
        needs: Vec<Need>,
    },
    /// It imports what no grant can give.
    #[error(
        "module `{module}` can't be loaded: it imports {}, which this host doesn't have; \
         it has chicory:task 0.1 and of WASI 0.2 cli, clocks, filesystem, http, io and random{}",
        imports.join(", "), own.iter().map(|name| format!(", and {name}")).collect::<String>()
    )]
    Unavailable {
        /// The module's name.
        module: String,
        /// The imports, with their versions.
        imports: Vec<String>,
        /// The interfaces that the embedder has registered.
        own: Vec<String>,
    },
    /// Its manifest asks for something impossible.
    #[error("module `{module}` can't be loaded: its manifest is wrong: {reason}")]
    Settings {
        /// The module's name.
        module: String,
        /// Which setting, and what is allowed.
        reason: String,
    },
    /// It isn't a component, can't be made one, can't be compiled, or has no task.
    #[error("module `{module}` can't be loaded: {reason}")]
    Invalid {
        /// The module's name.
        module: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// It is larger than this worker takes.
    #[error(
        "module `{module}` can't be loaded: it has {size} bytes, and this worker takes modules up to {limit}"
    )]
    TooLarge {
        /// The module's name.
        module: String,
        /// Its size, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It has more of something than any module may have: such modules are made to keep compilers busy.
    #[error(
        "module `{module}` can't be loaded: it has {found} {what}, and modules are taken with up to {allowed}"
    )]
    TooComplex {
        /// The module's name.
        module: String,
        /// Of what, in the plural.
        what: &'static str,
        /// How many there are, at least.
        found: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// It takes more memory to compile than this worker gives.
    #[error(
        "module `{module}` can't be loaded: compiling it takes more than {} MiB of memory", limit >> 20
    )]
    TooMuchMemory {
        /// The module's name.
        module: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It takes longer to compile than this worker waits.
    #[error("module `{module}` can't be loaded: compiling it took longer than {limit:?}")]
    TooSlow {
        /// The module's name.
        module: String,
        /// The limit.
        limit: Duration,
    },
}

fn list(needs: &[Need]) -> String {
    needs.iter().fold(String::new(), |mut text, need| {
        let _ = write!(text, "\n  {need}");
        text
    })
}
