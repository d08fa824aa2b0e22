//! What a task may know about its message.
//!
//! Must not know where the message came from.

/// What a task may learn about its message through `chicory:task/context`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskContext {
    /// The message's id, the same at every attempt.
    pub id: String,
    /// The task's full name, as the producer wrote it.
    pub name: String,
    /// Earlier retries of this message.
    pub retries: u32,
    /// Retries that the policy allows.
    pub max_retries: u32,
    /// The error of the previous attempt.
    pub last_error: Option<String>,
    /// The tenant that the task belongs to.
    pub tenant: Option<String>,
}
