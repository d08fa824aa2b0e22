//! Takes away what a process does not need on its machine, so that whoever breaks out of a sandbox inside it finds little:
//! no other files (Landlock), no dangerous system calls (seccomp), no new privileges, no core dump.
//!
//! A process can only confine itself, and must do so before it starts threads: Landlock holds for the calling thread and what it
//! starts. It can't be undone. Needs no privileges. Only Linux has it; elsewhere everything is reported as lacking.
//!
//! Must not know tasks, queues or settings.

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod system_calls;

use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process needs. What is not named here is taken away.
///
/// ```
/// use chicory_confine::{Confinement, SystemCalls};
///
/// let confinement = Confinement {
///     read: vec!["/etc/ssl".into()],
///     ..Confinement::new(SystemCalls::Compiler)
/// };
/// // A thread can be confined alone, before it is done for the whole process.
/// std::thread::spawn(move || {
///     let lacking = confinement.enforce().unwrap();
///     if lacking.is_empty() {
///         assert!(std::fs::read("/etc/hostname").is_err());
///     }
/// })
/// .join()
/// .unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Confinement {
    /// Files and folders that are read, with all below them. One that doesn't exist is left out.
    pub read: Vec<PathBuf>,
    /// Files and folders that are also written to, with all below them.
    pub write: Vec<PathBuf>,
    /// Programs that are started, and folders with their libraries. They may be read as well.
    pub run: Vec<PathBuf>,
    /// Which system calls are left.
    pub system_calls: SystemCalls,
}

/// Which system calls are left to a process. The others fail with `EPERM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemCalls {
    /// All but those that no service needs: tracing, mounting, loading of kernel code, namespaces, keys, `io_uring`, BPF, changes
    /// of user or clock, and sockets that are neither IP nor Unix. A list of what is denied, since what a large program with its
    /// libraries uses changes with each version of them.
    Service,
    /// Only what computing with memory and threads takes, and reading and writing what is open.
    Compiler,
}

/// Something that this kernel can't take away.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lack {
    /// What stays possible.
    pub what: &'static str,
    /// What is needed for it.
    pub needs: &'static str,
}

/// A process that can't be confined, for another reason than what its kernel lacks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// Its limit for core dumps can't be lowered.
    #[error("can't turn core dumps off")]
    CoreDumps(#[source] std::io::Error),
    /// The rules for files and sockets are refused.
    #[error("the kernel refuses the rules for files and sockets (Landlock)")]
    Files(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The filter for system calls is refused.
    #[error("the kernel refuses the filter for system calls (seccomp)")]
    SystemCalls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Confinement {
    /// Nothing but these system calls.
    pub fn new(system_calls: SystemCalls) -> Self {
        Self {
            read: Vec::new(),
            write: Vec::new(),
            run: Vec::new(),
            system_calls,
        }
    }

    /// Confines the calling thread and all that it starts. Returns what this kernel can't take away.
    ///
    /// # Errors
    /// When the kernel has what is needed, and still refuses. Part of it may be in force then.
    pub fn enforce(&self) -> Result<Vec<Lack>, ConfineError> {
        no_core_dumps().map_err(ConfineError::CoreDumps)?;
        self.enforce_here()
    }

    /// What this kernel can't take away, tried on a thread of its own.
    ///
    /// # Errors
    /// As [`Confinement::enforce`].
    pub fn lacking(&self) -> Result<Vec<Lack>, ConfineError> {
        std::thread::scope(|scope| {
            let tried = scope.spawn(|| self.enforce_here());
            tried
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    #[cfg(target_os = "linux")]
    fn enforce_here(&self) -> Result<Vec<Lack>, ConfineError> {
        // Files first: the filter would deny the system calls that it takes.
        let mut lacking = files::restrict(self)?;
        lacking.extend(system_calls::restrict(self.system_calls)?);
        Ok(lacking)
    }

    #[cfg(not(target_os = "linux"))]
    fn enforce_here(&self) -> Result<Vec<Lack>, ConfineError> {
        let lack = |what| Lack {
            what,
            needs: "Linux",
        };
        Ok(vec![lack("access to all files"), lack("all system calls")])
    }
}

/// One byte is too little for a file, and the one limit at which the kernel starts no program that collects core dumps: that
/// program would get all of it in spite of a limit of 0. A lower limit that is set already can't be raised.
fn no_core_dumps() -> std::io::Result<()> {
    let most = getrlimit(Resource::Core).maximum.unwrap_or(1).min(1);
    let none = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(Resource::Core, none)?)
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (needs {})", self.what, self.needs)
    }
}
