//! How a broker can fail, in the few ways a caller can act on.
//!
//! Must not know one broker's own errors: each maps its own onto these.

/// A broker could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The server can't be reached or can't serve now; worth trying again.
    #[error("the broker at {place} is unavailable: {reason}")]
    Unavailable {
        /// Where it is, without secrets.
        place: String,
        /// What the attempt said.
        reason: String,
    },
    /// The queue's stream has reached its limit; nothing was enqueued.
    #[error(
        "QueueFull: queue {queue:?} holds {length} messages and max_stream_length is {limit}; wait for workers, or raise the limit"
    )]
    QueueFull {
        /// The queue.
        queue: String,
        /// Messages in it.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// The request or the configuration is wrong; trying again does not help.
    #[error("{0}")]
    Invalid(String),
    /// The broker was closed.
    #[error("the broker is closed")]
    Closed,
}

impl BrokerError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
