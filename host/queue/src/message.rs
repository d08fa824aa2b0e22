//! The message that a producer sends, as JSON with the fields of Chicory for Python.
//!
//! Must not know queues or brokers. Unknown fields travel with the message, so what a newer producer adds survives
//! retries and the dead-letter queue.

mod decode;
mod encode;
mod numbers;
mod size;

use std::time::Duration;

use chicory_signature::{Arguments, RawJson, SharedStr};
use serde_json::Value;

pub use self::size::MAX_MESSAGE_BYTES;
pub(crate) use self::size::MAX_STORED_BYTES;
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) use self::size::{KEPT_BYTES, MAX_ID_BYTES};
use crate::{RetryPolicy, Timestamp, new_id};

/// The newest wire format that this build reads. A message without the field has format 1.
pub const FORMAT: u32 = 1;

/// The `reply_to` of a message whose producer waits without an inbox.
const AWAITED: &str = "-";

/// A request to run a task once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskMessage {
    /// Unique among all messages; the key of its result.
    pub id: SharedStr,
    /// `module.function` or `module.interface.function`.
    pub name: SharedStr,
    /// By position and by name: `args` and `kwargs` in JSON.
    pub arguments: Arguments,
    /// Retries so far; the current attempt is one more.
    pub retries: u32,
    /// Not to start before this time.
    pub eta: Option<Timestamp>,
    /// For brokers that order by it; streams don't.
    pub priority: Option<u8>,
    /// When the first attempt failed.
    pub first_failure_at: Option<Timestamp>,
    /// How the last attempt failed.
    pub last_error: Option<String>,
    /// A retry policy that takes precedence over the task's.
    pub retry: Option<RetryPolicy>,
    /// Whether neither state nor result is kept.
    pub ignore_result: bool,
    /// The inbox of the process that waits for its end; the worker sends the result there. A message with an inbox has
    /// a result even if results are not kept: one that says only how the task ended.
    pub reply_to: Option<String>,
    /// The digest of the module's version that it must run on.
    pub pin: Option<String>,
    /// The digest of the version whose signature its arguments were checked against.
    pub checked_against: Option<String>,
    /// Whether it failed on a canary and must not run on one again.
    pub no_canary: bool,
    /// Whether its id is noted in the queue, so another message with this id is noticed. See
    /// [`with_id`](Self::with_id).
    pub noted: bool,
    /// How long to wait before the first start, from when it is enqueued and by the store's clock. Takes precedence
    /// over [`eta`](Self::eta), which other programs read, and is not part of the stored message.
    pub delay: Option<Duration>,
    /// Fields that this build does not know, unchanged.
    pub extra: Vec<(String, RawJson)>,
}

/// Why stored bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableMessage {
    /// The default encoding of Chicory for Python, which can run code when it is read.
    #[error("a Python pickle, which is refused because reading one can run code; send JSON")]
    Pickle,
    /// A format that is newer than this build.
    #[error(
        "format {0} is newer than this worker reads ({FORMAT}); upgrade the worker, then replay"
    )]
    Format(u64),
    /// Larger than a message may be.
    #[error(
        "a message of {size} bytes, where at most {MAX_MESSAGE_BYTES} are allowed; store large data elsewhere and pass its address"
    )]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// Not JSON, or not in the shape of a message.
    #[error("not a task message: {0}")]
    Json(String),
}

impl TaskMessage {
    /// A message for the task `name`, with a fresh id and nothing else set.
    pub fn new(name: impl Into<SharedStr>) -> Self {
        Self {
            id: new_id().into(),
            name: name.into(),
            ..Self::default()
        }
    }

    /// The same with these arguments by position.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = Value>) -> Self {
        let args = RawJson::from(&Value::Array(args.into_iter().collect()));
        if let Err(error) = self.arguments.set_args(args) {
            unreachable!("it is an array: {error}");
        }
        self
    }

    /// The same with one more argument by name.
    #[must_use]
    pub fn kwarg(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Err(error) = self.arguments.insert(name, &value.into()) {
            unreachable!("a value is JSON: {error}");
        }
        self
    }

    /// The same, marked so that its end is reported to someone who waits, even if its result is not kept.
    #[must_use]
    pub fn awaited(mut self) -> Self {
        self.reply_to.get_or_insert_with(|| AWAITED.to_owned());
        self
    }

    /// The same, to start no sooner than this much time from now.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.eta = Some(Timestamp::now().after(delay));
        self.delay = Some(delay);
        self
    }

    /// The same with this id, which the queue keeps track of: if it already has a message with this id,
    /// [`Broker::enqueue_noted`](crate::Broker::enqueue_noted) doesn't add another one. A fresh id is never taken.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<SharedStr>) -> Self {
        self.id = id.into();
        self.noted = true;
        self
    }
}

#[cfg(test)]
mod tests;
