//! One call of a task, as seen by the code that runs it.
//!
//! Must not know how its end is settled.

use std::fmt;
use std::sync::Arc;

use chicory_queue::{Advice, Failure, TaskMessage};
use chicory_signature::{Arguments, Note};
use serde::de::DeserializeOwned;

use super::Attempt;
use crate::observer::Observer;

/// A call: the message that asks for it, and the way to report something while it runs.
pub struct Call {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Call {
    /// The message.
    pub fn message(&self) -> &TaskMessage {
        match self.attempt.message() {
            Some(message) => message,
            None => unreachable!("a message that can't be read is never called"),
        }
    }

    /// The message's id, the same at every attempt.
    pub fn id(&self) -> &str {
        &self.message().id
    }

    /// The task's full name, as the producer wrote it.
    pub fn name(&self) -> &str {
        &self.message().name
    }

    /// The queue that the message came from.
    pub fn queue(&self) -> &str {
        &self.attempt.lease().queue
    }

    /// Which attempt at the message this is, counting from 1.
    pub fn attempt(&self) -> u32 {
        self.message().retries.saturating_add(1)
    }

    /// The retries that the policy in force allows.
    pub fn max_retries(&self) -> u32 {
        self.attempt.max_retries()
    }

    /// The arguments, as the JSON text that was received.
    pub fn arguments(&self) -> &Arguments {
        &self.message().arguments
    }

    /// The arguments by position, such as `let (first, second): (u32, String) = call.args()?`.
    ///
    /// # Errors
    /// A failure named `ValidationError`, which is not retried: the same arguments would fail again.
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let args = serde_json::from_str(self.arguments().args().as_str());
        args.map_err(|error| invalid("args", &error))
    }

    /// The arguments by name.
    ///
    /// # Errors
    /// Like [`Call::args`].
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let kwargs = serde_json::from_str(self.arguments().kwargs().as_str());
        kwargs.map_err(|error| invalid("kwargs", &error))
    }

    /// Passes a log line or progress on to the worker's observer.
    pub fn say(&self, note: &Note) {
        if let Some(observer) = &self.observer {
            observer.said(self.attempt.info(), note);
        }
    }
}

fn invalid(what: &str, error: &serde_json::Error) -> Failure {
    Failure {
        name: "ValidationError".into(),
        message: format!("{what}: {error}"),
        traceback: None,
        advice: Advice::Never,
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
