//! What a task may know about its message.
//!
//! Must not know where the message came from.

use chicory_signature::SharedStr;

/// What a task may learn about its message through `chicory:task/context`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskContext {
    /// The message's id, the same at every attempt.
    pub id: SharedStr,
    /// The task's full name, as the producer wrote it.
    pub name: SharedStr,
    /// Earlier retries of this message.
    pub retries: u32,
    /// Retries that the policy allows.
    pub max_retries: u32,
    /// The error of the previous attempt.
    pub last_error: Option<String>,
    /// The tenant that the task belongs to.
    pub tenant: Option<String>,
}
