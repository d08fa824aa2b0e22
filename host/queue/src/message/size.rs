//! How large a message may be.
//!
//! Must not know what it says.

/// Maximum size of a message, as JSON with its arguments, in bytes. A larger one can't be enqueued; one that was
/// put into the store by other means becomes a dead letter.
pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// What a message may be larger once it is retried: times, and the error of the last attempt.
const RETRY_BYTES: usize = 256 << 10;

/// A stored message with more bytes than this isn't read.
pub(crate) const MAX_STORED_BYTES: usize = MAX_MESSAGE_BYTES + RETRY_BYTES;

/// What is kept of a message that is too large, so that somebody can tell whose it is.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) const KEPT_BYTES: usize = 1024;

/// The id that an entry carries beside its message is only read up to this size.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) const MAX_ID_BYTES: usize = 16 << 10;
