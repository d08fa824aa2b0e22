//! A call with its types, as `chicory client` writes them for each task of a module.
//!
//! Must not know how it is enqueued.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{BrokerError, EnqueueError, TaskMessage, TaskResult, TaskState};

/// A message for a task whose result has the type `R`.
///
/// ```
/// use chicory_queue::Call;
///
/// let call: Call<u32> = Call::new("demo.add").arg(1).arg(2);
/// assert_eq!(call.message.arguments.args().as_str(), "[1,2]");
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is enqueued before the call is started by a client"]
pub struct Call<R> {
    /// The message. A delay or a retry policy can be added to it.
    pub message: TaskMessage,
    result: PhantomData<fn() -> R>,
}

impl<R> Call<R> {
    /// A call of the task without arguments.
    pub fn new(task: &str) -> Self {
        Self {
            message: TaskMessage::new(task),
            result: PhantomData,
        }
    }

    /// The same with one more argument by position.
    ///
    /// # Panics
    /// If the value can't be JSON, such as a map whose keys are not text.
    pub fn arg(mut self, value: impl Serialize) -> Self {
        if let Err(error) = self.message.arguments.push(&value) {
            panic!(
                "an argument of {} can't be JSON: {error}",
                self.message.name
            );
        }
        self
    }

    /// The same with one more argument by name.
    ///
    /// # Panics
    /// Like [`Call::arg`].
    pub fn kwarg(mut self, name: &str, value: impl Serialize) -> Self {
        if let Err(error) = self.message.arguments.insert(name, &value) {
            panic!("`{name}` of {} can't be JSON: {error}", self.message.name);
        }
        self
    }
}

/// A call that is queued.
#[derive(Debug, Clone)]
pub struct Started<R> {
    /// The message's id.
    pub id: String,
    result: PhantomData<fn() -> R>,
}

impl<R> Started<R> {
    /// The call whose message has this id.
    pub fn new(id: String) -> Self {
        Self {
            id,
            result: PhantomData,
        }
    }
}

/// Why a call produced no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nothing was queued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The task failed, and is not retried.
    #[error("task {id} failed: {error}")]
    Failed {
        /// The message's id.
        id: String,
        /// `Name: message`.
        error: String,
    },
    /// The task succeeded, but what it returned is not kept (`ignore_result`).
    #[error(
        "task {id} succeeded, but its result is not kept: `ignore_result` is set in its module's manifest or its message"
    )]
    Ignored {
        /// The message's id.
        id: String,
    },
    /// It has not ended in time, but still may.
    #[error("task {id} has not ended in time")]
    NotEnded {
        /// The message's id.
        id: String,
    },
    /// Its result has a different type than the call's: the module has changed since.
    #[error("the result of task {id} has another type")]
    OtherType {
        /// The message's id.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The value that a call returned, after waiting for it.
pub(super) fn read<R: DeserializeOwned>(
    id: &str,
    result: Option<TaskResult>,
) -> Result<R, CallError> {
    let Some(result) = result else {
        return Err(CallError::NotEnded { id: id.to_owned() });
    };
    if result.state != TaskState::Success {
        return Err(CallError::Failed {
            id: id.to_owned(),
            error: result.error.unwrap_or_default(),
        });
    }
    if result.ignored {
        return Err(CallError::Ignored { id: id.to_owned() });
    }
    let value = result.result.unwrap_or_default();
    serde_json::from_value(value).map_err(|source| CallError::OtherType {
        id: id.to_owned(),
        source,
    })
}
