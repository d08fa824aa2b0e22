//! An observer that sends what it is told through a channel, so readers can go at their own pace.
//!
//! Must not know its reader.

use std::time::Duration;

use chicory_queue::{BrokerError, Settlement};
use chicory_signature::with_causes;
use chicory_signature::{Note, Usage};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{AttemptEnded, AttemptInfo, Observer};
use crate::Summary;

/// Something that happened in a worker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The worker serves its queues.
    Serving,
    /// A running task has logged a line or reported its progress.
    Said(Box<Said>),
    /// An attempt has ended and is settled, or its lease was lost.
    Ended(Box<AttemptEnd>),
    /// The broker can't be reached.
    BrokerLost {
        /// What the broker said.
        reason: String,
    },
    /// The broker can be reached again.
    BrokerBack,
    /// The worker fetches no more.
    Draining,
    /// The worker has stopped.
    Stopped,
}

/// What a task said while it ran.
#[derive(Debug, Clone)]
pub struct Said {
    /// The message's id.
    pub task_id: String,
    /// The task's name.
    pub task_name: String,
    /// Counting from 1.
    pub attempt: u32,
    /// The line, or how far the task is.
    pub note: Note,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// The message's id.
    pub task_id: String,
    /// The task's name; `None` if the message can't be read.
    pub task_name: Option<String>,
    /// The queue it came from.
    pub queue: String,
    /// Counting from 1.
    pub attempt: u32,
    /// The failure, as `Name: message`.
    pub error: Option<String>,
    /// What was done with the message.
    pub settlement: Settlement,
    /// False if the lease was lost: another worker has the message now, or it is gone.
    pub applied: bool,
    /// From the start of the task to its end.
    pub duration: Duration,
    /// What the attempt used, if it ran in a sandbox.
    pub usage: Option<Usage>,
}

/// An observer whose events wait in a channel until they are read. The channel has no limit, so nothing is lost; a
/// reader that falls behind costs memory.
///
/// ```
/// use chicory_worker::{EventChannel, Observer, WorkerEvent};
///
/// let (observer, mut events) = EventChannel::new();
/// // A worker does this once it is given the observer by `Worker::observed_by`.
/// observer.serving();
/// assert!(matches!(events.try_recv(), Ok(WorkerEvent::Serving)));
/// ```
#[derive(Debug)]
pub struct EventChannel(UnboundedSender<WorkerEvent>);

impl EventChannel {
    /// The observer, and the reader's end.
    pub fn new() -> (Self, UnboundedReceiver<WorkerEvent>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    fn send(&self, event: impl FnOnce() -> WorkerEvent) {
        if !self.0.is_closed() {
            // An error means that the reader has just gone.
            let _ = self.0.send(event());
        }
    }
}

impl Observer for EventChannel {
    fn serving(&self) {
        self.send(|| WorkerEvent::Serving);
    }

    fn said(&self, attempt: AttemptInfo<'_>, note: &Note) {
        self.send(|| {
            WorkerEvent::Said(Box::new(Said {
                task_id: attempt.task_id.to_owned(),
                task_name: attempt.task_name.unwrap_or_default().to_owned(),
                attempt: attempt.attempt,
                note: note.clone(),
            }))
        });
    }

    fn ended(&self, end: &AttemptEnded<'_>) {
        self.send(|| {
            WorkerEvent::Ended(Box::new(AttemptEnd {
                task_id: end.attempt.task_id.to_owned(),
                task_name: end.attempt.task_name.map(str::to_owned),
                queue: end.attempt.queue.to_owned(),
                attempt: end.attempt.attempt,
                error: end.failure.map(chicory_queue::Failure::describe),
                settlement: end.settlement.clone(),
                applied: end.applied,
                duration: end.duration,
                usage: end.usage.copied(),
            }))
        });
    }

    fn broker_lost(&self, reason: &BrokerError) {
        self.send(|| WorkerEvent::BrokerLost {
            reason: with_causes(reason),
        });
    }

    fn broker_back(&self) {
        self.send(|| WorkerEvent::BrokerBack);
    }

    fn draining(&self) {
        self.send(|| WorkerEvent::Draining);
    }

    fn stopped(&self, _: Summary) {
        self.send(|| WorkerEvent::Stopped);
    }
}
