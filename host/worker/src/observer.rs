//! The one stream of what happens in a worker, which logs, the demo, metrics and tests read.
//!
//! Must not know its readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chicory_queue::{Settlement, TaskMessage};
use chicory_runtime::{Note, Observer, Usage};
use tokio::sync::broadcast;

/// Something that happened in a worker.
#[derive(Debug, Clone)]
pub enum WorkerEvent {
    /// The worker serves its queues.
    Started,
    /// A task at work has logged a line or reported its progress.
    Said(Box<Said>),
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

/// What a task said while it ran.
#[derive(Debug, Clone)]
pub struct Said {
    /// The message's id.
    pub task_id: String,
    /// The task's name.
    pub task_name: String,
    /// Counted from 1.
    pub attempt: u32,
    /// The line, or how far the task is.
    pub note: Note,
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

/// Sends to whoever listens; costs next to nothing where nobody ever did.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: broadcast::Sender<WorkerEvent>,
    /// Whether there ever was a listener: asked without the channel's lock.
    listened: Arc<AtomicBool>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(4096).0,
            listened: Arc::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<WorkerEvent> {
        self.listened.store(true, Ordering::Relaxed);
        self.sender.subscribe()
    }

    /// Builds the event only for a listener.
    pub(crate) fn send(&self, event: impl FnOnce() -> WorkerEvent) {
        if self.listened.load(Ordering::Relaxed) && self.sender.receiver_count() > 0 {
            // An error means that the last listener has just gone.
            let _ = self.sender.send(event());
        }
    }

    /// Passes on what the task of `message` says, if there may be a listener.
    pub(crate) fn observer(&self, message: &TaskMessage) -> Option<Observer> {
        if !self.listened.load(Ordering::Relaxed) {
            return None;
        }
        let events = self.clone();
        let (id, name) = (message.id.clone(), message.name.clone());
        let attempt = message.retries + 1;
        Some(Arc::new(move |note| {
            events.send(|| {
                WorkerEvent::Said(Box::new(Said {
                    task_id: id.to_string(),
                    task_name: name.to_string(),
                    attempt,
                    note,
                }))
            });
        }))
    }
}
