//! A message in a worker's hands: the delivery, the right to settle it, and the settlement.
//!
//! Must not know how a broker keeps any of it.

#[cfg(any(feature = "redis", feature = "sqlite"))]
mod stored;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use chicory_signature::{SharedStr, TenantName};

#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) use self::stored::Stored;
use crate::{ResultRecord, TaskMessage, Timestamp, UnreadableMessage};

/// The right to settle a delivery: it expires unless it is extended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The queue the message came from.
    pub queue: Arc<str>,
    /// The tenant that the message belongs to: that of the place where it was found.
    pub tenant: TenantName,
    /// The broker's id of the entry.
    pub entry: SharedStr,
    /// Who holds the lease.
    pub consumer: Arc<str>,
    /// Whether the entry was acknowledged before the task ran (at most once). There is then no lease to lose, and a
    /// settlement is applied without looking for one.
    pub acknowledged: bool,
    /// The queue's counter of reclaims when the entry was read, if the broker counts them: while the counter
    /// is unchanged, this lease has not been reclaimed. `None` is always safe: the lease is then checked.
    pub reclaims: Option<u64>,
    /// The message's id, if it is noted ([`TaskMessage::noted`]); its end must then be noted too.
    pub noted_id: Option<SharedStr>,
}

/// What a delivery carries.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are messages; a delivery is moved a few times, and an allocation costs more"
)]
pub enum Payload {
    /// A message.
    Message(TaskMessage),
    /// A large message, which is not decoded yet: see [`Delivery::decode`].
    Encoded,
    /// Bytes that are not a message.
    Unreadable(UnreadableMessage),
}

impl Payload {
    /// What these bytes are.
    fn of(bytes: &Bytes) -> Self {
        match TaskMessage::decode(bytes) {
            Ok(message) => Self::Message(message),
            Err(error) => Self::Unreadable(error),
        }
    }
}

/// One message handed to one consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The right to settle it.
    pub lease: Lease,
    /// What was read.
    pub payload: Payload,
    /// The stored bytes, unchanged. Only the first of them if the message is larger than
    /// [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES).
    pub raw: Bytes,
    /// The id that the entry carries beside its bytes; known even if the bytes are unreadable.
    pub task_id: SharedStr,
    /// How often this entry has been delivered, including this time; more than once after lost leases.
    pub deliveries: u32,
}

/// A message with more bytes is delivered undecoded, since decoding takes more than a tenth of a millisecond.
pub const LARGE_BYTES: usize = 64 << 10;

impl Delivery {
    /// The message; `None` if it can't be read, or is not decoded yet.
    pub fn message(&self) -> Option<&TaskMessage> {
        match &self.payload {
            Payload::Message(message) => Some(message),
            Payload::Encoded | Payload::Unreadable(_) => None,
        }
    }

    /// Whether it still has to be decoded.
    pub fn is_encoded(&self) -> bool {
        matches!(self.payload, Payload::Encoded)
    }

    /// Decodes a message that was too large to be decoded when it was fetched; leaves any other as it is. This blocks
    /// the thread for some milliseconds per megabyte, so don't call it on a thread that has other duties.
    pub fn decode(&mut self) {
        if !self.is_encoded() {
            return;
        }
        self.payload = Payload::of(&self.raw);
        if let (true, Payload::Message(message)) = (self.task_id.is_empty(), &self.payload) {
            self.task_id = message.id.clone();
        }
    }

    /// The message's id, or the id that the entry gives if the message can't be read.
    pub fn message_id(&self) -> &str {
        self.message().map_or(&self.task_id, |message| &message.id)
    }
}

/// What to do about a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Settlement {
    /// Remove the message: it is done, or was given up on without a dead letter.
    Complete,
    /// Replace the delivered message with `message`, due at `at`.
    Retry {
        /// When it is due.
        at: Timestamp,
        /// The message with the retry counted.
        message: Box<TaskMessage>,
    },
    /// Move the message to the dead-letter queue.
    DeadLetter {
        /// `Name: message` of the failure.
        error: String,
        /// When it was given up on.
        failed_at: Timestamp,
    },
    /// Put the message back, ready for another worker; no retry is counted.
    Release,
}

/// A delivery, what to do about it, and the result to write with it. Borrows from the holder of the delivery, so
/// settling copies nothing.
#[derive(Debug, Clone)]
pub struct SettleRequest<'a> {
    /// The delivery's lease.
    pub lease: Cow<'a, Lease>,
    /// The delivered bytes.
    pub raw: Cow<'a, [u8]>,
    /// The message's id.
    pub task_id: Cow<'a, str>,
    /// The task's name; empty if unknown.
    pub task_name: Cow<'a, str>,
    /// Retries counted so far; goes into a dead letter.
    pub retries: u32,
    /// What to do.
    pub settlement: Cow<'a, Settlement>,
    /// What clients that wait for the task will see; written before the message is acknowledged.
    pub record: Option<ResultRecord<'a>>,
}

impl SettleRequest<'_> {
    /// Whether more than [`LARGE_BYTES`] are written with it, which takes a broker longer than what is small.
    pub fn is_large(&self) -> bool {
        let result = self.record.as_ref().and_then(|record| record.body.as_ref());
        let keeps_message = *self.settlement != Settlement::Complete;
        result.is_some_and(|body| body.len() > LARGE_BYTES)
            || keeps_message && self.raw.len() > LARGE_BYTES
    }

    /// The same with copies of what it borrows.
    pub fn into_owned(self) -> SettleRequest<'static> {
        SettleRequest {
            lease: Cow::Owned(self.lease.into_owned()),
            raw: Cow::Owned(self.raw.into_owned()),
            task_id: Cow::Owned(self.task_id.into_owned()),
            task_name: Cow::Owned(self.task_name.into_owned()),
            retries: self.retries,
            settlement: Cow::Owned(self.settlement.into_owned()),
            record: self.record.map(ResultRecord::into_owned),
        }
    }
}

/// What came of a settlement, or of extending a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The lease was held: done.
    Applied,
    /// Another consumer has the message now, or it is gone: nothing was changed.
    LeaseLost,
    /// The part of the store that has it is not answering, while others do. It is not known whether anything was
    /// changed. Ask again.
    Unreachable,
}
