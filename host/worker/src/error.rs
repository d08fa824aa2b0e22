//! Why a worker can't continue.
//!
//! Must not know tasks: their failures are not the worker's errors.

use std::io;

/// Why a worker ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The operating system provides no threads.
    #[error("can't start the threads that run tasks")]
    Threads(#[source] io::Error),
    /// A part of the worker has panicked. Other workers reclaim what it held once its leases have expired.
    #[error(
        "a part of the worker has panicked (see the log above); what it held is reclaimed once its leases expire"
    )]
    Panicked,
}
