//! How a broker can fail, in the few ways that a caller can act on.
//!
//! Must not know one broker's own errors: each becomes the source of one of these.

use std::error::Error;

use chicory_signature::TenantName;

/// A broker could not do what it was asked to do.
///
/// The text names what failed; the cause is the error's source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The server can't be reached or can't serve now; worth retrying.
    #[error("the broker at {place} is unavailable{}", aside(*advice))]
    Unavailable {
        /// Where it is, without secrets.
        place: String,
        /// What to do about it, if that is known.
        advice: Option<&'static str>,
        /// Why the attempt failed.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The queue's stream has reached its limit; nothing was enqueued.
    #[error(
        "QueueFull: queue {queue:?} holds {length} messages and max_stream_length is {limit}; wait for workers, or raise the limit"
    )]
    QueueFull {
        /// The queue.
        queue: String,
        /// Number of messages in it.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// The tenant has as many messages in the queue as it may; nothing was enqueued.
    #[error(
        "QueueFull: tenant {tenant} has {length} messages in queue {queue:?}, and may have {limit}; wait for workers, or raise the limit (tenant set {tenant} --max-queued)"
    )]
    TenantQueueFull {
        /// The queue.
        queue: String,
        /// The tenant.
        tenant: TenantName,
        /// Its messages in the queue.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// No such tenant was created; nothing was enqueued.
    #[error("UnknownTenant: there is no tenant {tenant}; create it (tenant create {tenant})")]
    UnknownTenant {
        /// The name that was given.
        tenant: TenantName,
    },
    /// The tenant is suspended; nothing was enqueued.
    #[error("TenantSuspended: tenant {tenant} is suspended: {reason}")]
    TenantSuspended {
        /// The tenant.
        tenant: TenantName,
        /// Why, as the operator said.
        reason: String,
    },
    /// A message's id must be new but is already there; nothing was enqueued.
    #[error(
        "DuplicateId: queue {queue:?} already knows message {id:?}{}: it is queued or running, or ended recently; nothing was enqueued; give another id, or choose `return` or `run` for ids that are already there",
        others(*count)
    )]
    DuplicateId {
        /// The queue.
        queue: String,
        /// The id, or the first of them.
        id: String,
        /// Number of messages that are already there.
        count: u64,
    },
    /// The request or the configuration is wrong; retrying does not help.
    #[error("{0}")]
    Invalid(String),
    /// The store refuses the request or the configuration; retrying does not help.
    #[error("the broker at {place} refuses{}", aside(*advice))]
    Refused {
        /// Where it is, without secrets.
        place: String,
        /// What to do about it, if that is known.
        advice: Option<&'static str>,
        /// What the store said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The messages are enqueued, but fewer replicas than `wait_replicas` have confirmed them: a failover could lose
    /// them.
    #[error(
        "the broker at {place} has the messages, but only {confirmed} of {wanted} replicas confirmed them in time: they may be lost if it fails now, and are duplicated if they are enqueued again under other ids (wait_replicas, wait_timeout_ms)"
    )]
    NotReplicated {
        /// Where it is, without secrets.
        place: String,
        /// How many replicas had to confirm them.
        wanted: u32,
        /// How many did.
        confirmed: u32,
    },
    /// What was enqueued went to a master while another was being chosen: the new one may not have it. Only with `wait_replicas`.
    #[error(
        "the broker at {place} took the messages while Sentinels were choosing another master, or too few Sentinels answer: they may be lost, and are doubled if they are enqueued again under other ids (wait_replicas)"
    )]
    Replaced {
        /// Where it is, without secrets.
        place: String,
    },
    /// What is stored can't be understood.
    #[error("{what} can't be read")]
    Unreadable {
        /// What it is.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The broker was closed.
    #[error("the broker is closed")]
    Closed,
}

fn aside(advice: Option<&str>) -> String {
    advice.map_or_else(String::new, |advice| format!(" ({advice})"))
}

fn others(count: u64) -> String {
    match count {
        0 | 1 => String::new(),
        _ => format!(", and {} others of the batch", count - 1),
    }
}

impl BrokerError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_stands_beside_what_failed() {
        let refused = |advice| BrokerError::Refused {
            place: "h:1".into(),
            advice,
            source: "WRONGPASS".into(),
        };
        let said = |advice| refused(advice).to_string();
        assert_eq!(
            said(Some("check it")),
            "the broker at h:1 refuses (check it)"
        );
        assert_eq!(said(None), "the broker at h:1 refuses");
        assert_eq!(refused(None).source().unwrap().to_string(), "WRONGPASS");
    }
}
