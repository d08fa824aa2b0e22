//! A message's bytes as a broker reads them from its store.
//!
//! Must not know where they are stored.

use bytes::Bytes;

use super::{LARGE_BYTES, Payload};
use crate::message::{KEPT_BYTES, MAX_STORED_BYTES, UnreadableMessage};

/// What was read from a stored message.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    /// All of it.
    Whole(Bytes),
    /// Its beginning, because it is too large.
    Beginning {
        /// The first bytes.
        start: Bytes,
        /// The size of the whole message.
        size: u64,
    },
}

impl Stored {
    /// From bytes that are all in memory.
    pub(crate) fn of(bytes: Bytes) -> Self {
        if bytes.len() <= MAX_STORED_BYTES {
            return Self::Whole(bytes);
        }
        Self::Beginning {
            // A copy: a slice would keep all of it in memory.
            start: Bytes::copy_from_slice(&bytes[..KEPT_BYTES]),
            size: bytes.len() as u64,
        }
    }

    /// From the first bytes that were read; these are all there are if `size` says so.
    pub(crate) fn first(start: Bytes, size: u64) -> Self {
        if start.len() as u64 == size {
            Self::of(start)
        } else {
            Self::Beginning { start, size }
        }
    }

    /// How many bytes are in memory.
    pub(crate) fn kept(&self) -> usize {
        match self {
            Self::Whole(bytes) | Self::Beginning { start: bytes, .. } => bytes.len(),
        }
    }

    /// The message (unless it is large) or why it can't be read, and the bytes that were read.
    pub(crate) fn read(self) -> (Payload, Bytes) {
        match self {
            Self::Whole(bytes) if bytes.len() > LARGE_BYTES => (Payload::Encoded, bytes),
            Self::Whole(bytes) => (Payload::of(&bytes), bytes),
            Self::Beginning { start, size } => {
                let error = UnreadableMessage::TooLarge { size };
                (Payload::Unreadable(error), start)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_what_is_too_large_is_kept() {
        let (payload, kept) = Stored::of(vec![b' '; MAX_STORED_BYTES + 1].into()).read();
        assert_eq!(kept.len(), KEPT_BYTES);
        let Payload::Unreadable(error) = payload else {
            panic!("{payload:?}");
        };
        let said = error.to_string();
        assert!(
            said.contains("33816577 bytes") && said.contains("33554432"),
            "{said}"
        );
    }
}
