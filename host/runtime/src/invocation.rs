//! What a caller hands to the sandbox: a task, its arguments, and what the task may know.
//!
//! Must not know where the message came from.

use std::sync::Arc;

use chicory_signature::Arguments;
use tokio_util::sync::CancellationToken;

use crate::context::TaskContext;
use crate::ended::Observer;
use crate::module::Task;

/// One call of one task.
pub struct Invocation {
    /// The task to call.
    pub task: Arc<Task>,
    /// Its arguments.
    pub arguments: Arguments,
    /// What the task may know about its message.
    pub context: TaskContext,
    /// Told about log lines and progress while the task runs.
    pub observer: Option<Observer>,
    /// Ends the call as [`crate::How::Cancelled`] when cancelled.
    pub cancel: Option<CancellationToken>,
}

impl Invocation {
    /// A call with these arguments, with no context but the task's name, no observer and no way to cancel it.
    pub fn new(task: Arc<Task>, arguments: Arguments) -> Self {
        let context = TaskContext {
            name: task.name().into(),
            ..TaskContext::default()
        };
        Invocation {
            task,
            arguments,
            context,
            observer: None,
            cancel: None,
        }
    }
}
