//! The one stream of what happens in a worker, which logs, the demo, metrics and tests read.
//!
//! Must not know its readers.

use std::time::Duration;

use chicory_queue::Settlement;
use chicory_runtime::Usage;
use tokio::sync::broadcast;

/// Something that happened in a worker.
#[derive(Debug, Clone)]
pub enum WorkerEvent {
    /// The worker serves its queues.
    Started,
    /// A try has ended and is settled (or its lease was lost).
    Ended(Box<TaskEnd>),
    /// The broker can't be reached.
    BrokerLost {
        /// What the broker said.
        reason: String,
    },
    /// The broker is back.
    BrokerBack,
    /// The worker fetches no more.
    Draining,
    /// The worker has stopped.
    Stopped,
}

/// How a try ended.
#[derive(Debug, Clone)]
pub struct TaskEnd {
    /// The message's id.
    pub task_id: String,
    /// The task's name.
    pub task_name: String,
    /// The queue it came from.
    pub queue: String,
    /// Counted from 1.
    pub attempt: u32,
    /// The failure, as `Name: message`.
    pub error: Option<String>,
    /// What was done about it.
    pub settlement: Settlement,
    /// False where somebody else had the message by then.
    pub applied: bool,
    /// From the start of the sandbox to its end.
    pub duration: Duration,
    /// What the try used.
    pub usage: Option<Usage>,
}

/// Sends to whoever listens; costs next to nothing where nobody does.
#[derive(Debug, Clone)]
pub(crate) struct Events(broadcast::Sender<WorkerEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(4096).0)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<WorkerEvent> {
        self.0.subscribe()
    }

    /// Builds the event only for a listener.
    pub(crate) fn send(&self, event: impl FnOnce() -> WorkerEvent) {
        if self.0.receiver_count() > 0 {
            // An error means that the last listener has just gone.
            let _ = self.0.send(event());
        }
    }
}
