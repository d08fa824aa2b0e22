//! How large a message may be.
//!
//! Must not know what it says.

/// Maximum size of a message, as JSON with its arguments, in bytes. A larger one can't be enqueued. One that was put
/// into the store by other means becomes a dead letter.
pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// How much a message may grow once it is retried: times, and the error of the last attempt.
const RETRY_BYTES: usize = 256 << 10;

/// A stored message with more bytes than this isn't read.
pub(crate) const MAX_STORED_BYTES: usize = MAX_MESSAGE_BYTES + RETRY_BYTES;

/// How much is kept of a message that is too large, so that someone can tell whose it is.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) const KEPT_BYTES: usize = 1024;

/// Maximum size of the id that an entry carries beside its message; no more of it is read.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) const MAX_ID_BYTES: usize = 16 << 10;
