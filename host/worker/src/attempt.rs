//! One delivery on its way through the worker.
//!
//! Must not know who moves it on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chicory_queue::{Delivery, Lease, SettleRequest, TaskMessage};
use chicory_runtime::Usage;
use tokio::sync::OwnedSemaphorePermit;

use crate::sandbox::CatalogTask;

/// A delivery and the task that its message names, or why there is none here.
pub(crate) struct Attempt {
    pub(crate) delivery: Delivery,
    pub(crate) task: Result<Arc<CatalogTask>, String>,
    /// The catalog's state that the task was found in.
    pub(crate) generation: u64,
}

/// An attempt that has ended and is to be settled.
pub(crate) struct Finished {
    pub(crate) ticket: u64,
    pub(crate) settle: SettleRequest,
    pub(crate) report: Report,
}

/// What is told about an attempt beyond its settlement.
pub(crate) struct Report {
    /// The failure, as `Name: message`.
    pub(crate) error: Option<String>,
    pub(crate) duration: Duration,
    pub(crate) usage: Option<Usage>,
}

/// An attempt that has begun, with what its conclusion needs.
pub(crate) struct Case {
    pub(crate) ticket: u64,
    pub(crate) lease: Lease,
    pub(crate) raw: Bytes,
    pub(crate) message: Box<TaskMessage>,
    pub(crate) task: Option<Arc<CatalogTask>>,
    pub(crate) begun: Instant,
}

/// A delivery that may start.
pub(crate) struct Ready {
    pub(crate) ticket: u64,
    pub(crate) attempt: Attempt,
    pub(crate) permit: OwnedSemaphorePermit,
}

impl Ready {
    /// Whether it is worth more to run it than to hand it on.
    pub(crate) fn is_brief(&self) -> bool {
        self.attempt.task.as_ref().is_ok_and(|task| task.is_brief())
    }
}
