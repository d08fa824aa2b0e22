//! What a worker tells those who watch it: logs, metrics, terminals, tests.
//!
//! Must not know its observers.

mod channel;
mod log;

use std::time::Duration;

use chicory_queue::{Failure, Settlement};
use chicory_signature::{Note, Usage};

pub use self::channel::{AttemptEnd, EventChannel, Said, WorkerEvent};
pub(crate) use self::log::Log;
use crate::Summary;

/// Told of everything that happens in a worker, on the thread where it happens and before anything else. So nothing is
/// lost, but each method must be quick and must not block.
///
/// All methods do nothing by default. Without an observer, a worker pays only for checking that there is none.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use chicory_worker::{AttemptEnded, Observer};
///
/// /// Counts failures by nothing but their number.
/// #[derive(Default)]
/// struct Failures(AtomicU64);
///
/// impl Observer for Failures {
///     fn ended(&self, end: &AttemptEnded<'_>) {
///         if end.failure.is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// The worker serves its queues.
    fn serving(&self) {}
    /// Deliveries were fetched, and are about to start.
    fn fetched(&self, deliveries: usize) {
        let _ = deliveries;
    }
    /// A delivery was reclaimed after its lease had expired; it is about to start.
    fn reclaimed(&self, attempt: AttemptInfo<'_>) {
        let _ = attempt;
    }
    /// An attempt is about to run.
    fn started(&self, attempt: AttemptInfo<'_>) {
        let _ = attempt;
    }
    /// A running task has logged a line or reported its progress.
    fn said(&self, attempt: AttemptInfo<'_>, note: &Note) {
        let _ = (attempt, note);
    }
    /// An attempt has ended and is settled, or its lease was lost.
    fn ended(&self, end: &AttemptEnded<'_>) {
        let _ = end;
    }
    /// The broker can't be reached.
    fn broker_lost(&self, reason: &chicory_queue::BrokerError) {
        let _ = reason;
    }
    /// The broker can be reached again.
    fn broker_back(&self) {}
    /// The worker fetches no more.
    fn draining(&self) {}
    /// The worker has stopped.
    fn stopped(&self, summary: Summary) {
        let _ = summary;
    }
}

/// Which attempt something is about.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttemptInfo<'a> {
    /// The message's id.
    pub task_id: &'a str,
    /// The task's name; `None` if the message can't be read.
    pub task_name: Option<&'a str>,
    /// The queue it came from.
    pub queue: &'a str,
    /// Counting from 1.
    pub attempt: u32,
    /// How often the message has been delivered, including this time: more than once after lost leases.
    pub deliveries: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttemptEnded<'a> {
    /// Which attempt.
    pub attempt: AttemptInfo<'a>,
    /// Why it failed, if it did.
    pub failure: Option<&'a Failure>,
    /// What was done with the message.
    pub settlement: &'a Settlement,
    /// False if the lease was lost: another worker has the message now, or it is gone.
    pub applied: bool,
    /// From the start of the task to its end.
    pub duration: Duration,
    /// What the attempt used, if it ran in a sandbox.
    pub usage: Option<&'a Usage>,
}
