//! Why a sandbox can't be started, or a module can't be loaded.
//!
//! Must not know what a guest does once it runs: that is an `Ended`.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use crate::capability::{InterfaceError, Need};
use crate::discover::TypesTooLarge;
use crate::limits::LimitError;
use crate::section::DamagedModule;
use crate::settings::GrantError;

/// A sandbox can't be started on this machine or with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A number in the settings is too large for this machine.
    #[error("can't start the sandbox: {0} is out of range")]
    OutOfRange(&'static str),
    /// wasmtime refuses the settings, or the machine has too little address space for the pool.
    #[error("can't start the sandbox; a lower concurrency or max_memory needs less address space")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
    /// One of the embedder's interfaces can't be registered.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
}

/// A module that can't be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It imports what its manifest doesn't grant.
    #[error("module `{module}` can't be loaded:{}", list(needs))]
    Ungranted {
        /// The module's name.
        module: String,
        /// Each import, with the line that would grant it.
        needs: Vec<Need>,
    },
    /// It imports something that no grant can give.
    #[error(
        "module `{module}` can't be loaded: it imports {}, which this host doesn't have; \
         it has chicory:task 0.1, of WASI 0.2 cli, clocks, filesystem, http, io and random, and for programs \
         WASI preview 1{}",
        imports.join(", "), and(own)
    )]
    Unavailable {
        /// The module's name.
        module: String,
        /// The imports, with their versions.
        imports: Vec<String>,
        /// The interfaces that the embedder has registered.
        own: Vec<String>,
    },
    /// Its manifest asks for something that is not possible.
    #[error("module `{module}` can't be loaded: its manifest is wrong")]
    Settings {
        /// The module's name.
        module: String,
        /// Which setting, and what is allowed.
        source: SettingsError,
    },
    /// It isn't a component, can't be made one, can't be compiled, or has no task.
    #[error("module `{module}` can't be loaded")]
    Invalid {
        /// The module's name.
        module: String,
        /// What is wrong, and what to do.
        source: InvalidModule,
    },
    /// It is larger than this worker accepts.
    #[error(
        "module `{module}` can't be loaded: it has {size} bytes, and this worker accepts modules of up to {limit}; build it smaller, or raise the worker's max_module_size"
    )]
    TooLarge {
        /// The module's name.
        module: String,
        /// Its size, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It has more of something than a module may have. Such modules are made to keep compilers busy.
    #[error(
        "module `{module}` can't be loaded: it has {found} {what}, and at most {allowed} are allowed"
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
    /// It has more of something than this worker has room for.
    #[error(
        "module `{module}` can't be loaded: it has {found} {what}, and this worker has room for {allowed}{}",
        setting.map_or_else(String::new, |setting| format!("; raise its {setting}"))
    )]
    NoRoom {
        /// The module's name.
        module: String,
        /// Of what, in the plural.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there is room for.
        allowed: u64,
        /// The worker's setting that makes more room, if there is one.
        setting: Option<&'static str>,
    },
    /// Compiling it takes more memory than this worker allows.
    #[error(
        "module `{module}` can't be loaded: compiling it takes more than {} MiB of memory", limit >> 20
    )]
    TooMuchMemory {
        /// The module's name.
        module: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Compiling it takes longer than this worker allows.
    #[error("module `{module}` can't be loaded: compiling it took longer than {limit:?}")]
    TooSlow {
        /// The module's name.
        module: String,
        /// The limit.
        limit: Duration,
    },
}

/// A setting in a module's manifest that the sandbox can't apply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A grant that can't be given.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A limit that can't be set.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Limits of a task that the module doesn't have.
    #[error("it sets limits for `{0}`, which is not a task of the module")]
    UnknownTask(String),
}

/// A module that can't be used, whatever its settings are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidModule {
    /// It can't be read.
    #[error(transparent)]
    Damaged(#[from] DamagedModule),
    /// It can't be compiled: the compiler's words, since it may be a process of its own.
    #[error("{0}")]
    NotCompiled(String),
    /// The types of its functions are larger than types may be.
    #[error(transparent)]
    TypesTooLarge(#[from] TypesTooLarge),
    /// Compiling or loading it made this program panic.
    #[error("compiling it crashed")]
    Crashed(#[source] Box<dyn Error + Send + Sync>),
    /// The engine refuses its machine code: mostly because it has more of something than there is room for.
    #[error("it doesn't fit in this worker's sandbox")]
    MachineCode(#[source] Box<dyn Error + Send + Sync>),
    /// Its imports don't match what the host has.
    #[error("it can't be linked")]
    NotLinked(#[source] Box<dyn Error + Send + Sync>),
    /// None of its exports is a task.
    #[error("it exports no function that can be a task{}", list_functions(.0))]
    NoTasks(
        /// Exported functions, each with the reason why it is not a task.
        Vec<(String, String)>,
    ),
}

fn list_functions(functions: &[(String, String)]) -> String {
    functions
        .iter()
        .fold(String::new(), |mut text, (name, why)| {
            let _ = write!(text, "\n  `{name}`: {why}");
            text
        })
}

fn and(own: &[String]) -> String {
    own.iter().fold(String::new(), |mut text, name| {
        let _ = write!(text, ", and {name}");
        text
    })
}

fn list(needs: &[Need]) -> String {
    needs.iter().fold(String::new(), |mut text, need| {
        let _ = write!(text, "\n  {need}");
        text
    })
}
