//! The reply to a read of streams, entry by entry: `[[stream, [[id, [field, value, …]], …]], …]`.
//!
//! Keeps a limited number of bytes of all messages together, and only the beginning of a message that is too
//! large. Must not know what an entry becomes.

use chicory_signature::{MAX_TENANT_NAME, TenantName};
use redis::RedisError;
use tokio::io::{AsyncRead, AsyncWrite};

use super::entry::{Entry, text};
use super::resp::{Replies, Take, Token};
use crate::delivery::Stored;
use crate::message::{KEPT_BYTES, MAX_ID_BYTES, MAX_STORED_BYTES};

/// What a read may bring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// The streams' keys.
    pub(super) streams: &'a [String],
    /// Entries of each stream.
    pub(super) count: usize,
    /// Entries that are kept of all streams.
    pub(super) kept: usize,
    /// Bytes of all messages. The first is kept even if it has more.
    pub(super) bytes: usize,
}

/// An entry of a reply.
#[derive(Debug)]
pub(super) enum Found {
    Entry(Entry),
    /// There was no room left for its message.
    Postponed(Entry),
}

/// The names of fields. A longer one is not one of ours.
const NAME: Take = Take { most: 512, kept: 0 };
const ID: Take = Take { most: 64, kept: 0 };
const NOTHING: Take = Take { most: 0, kept: 0 };
const TASK_ID: Take = Take {
    most: MAX_ID_BYTES,
    kept: 0,
};
const DATA: Take = Take {
    most: MAX_STORED_BYTES,
    kept: KEPT_BYTES,
};

/// Reads a reply, and passes each entry on with the position of its stream. Returns the size of the largest message,
/// as far as it could have been kept.
pub(super) async fn read_reply<S: AsyncRead + AsyncWrite + Unpin>(
    replies: &mut Replies<S>,
    bounds: Bounds<'_>,
    mut found: impl FnMut(usize, Found),
) -> Result<usize, RedisError> {
    let mut reading = Reading {
        replies,
        left: bounds.bytes,
        entries: bounds.kept,
        largest: 0,
    };
    for _ in 0..reading.array("the streams", bounds.streams.len()).await? {
        reading.pair("a stream and its entries").await?;
        let key = match reading.replies.token(NAME_OF_KEY).await? {
            Token::Bulk(key) => key,
            other => return Err(other.instead_of("a stream's key").into()),
        };
        let place = bounds
            .streams
            .iter()
            .position(|stream| stream.as_bytes() == key);
        for _ in 0..reading.array("the entries", bounds.count).await? {
            let entry = reading.entry().await?;
            if let (Some(place), Some(entry)) = (place, entry) {
                found(place, entry);
            }
        }
    }
    Ok(reading.largest)
}

/// A longer stream key than this can only be a server's mistake.
const NAME_OF_KEY: Take = Take {
    most: 64 << 10,
    kept: 0,
};

const NAME_OF_TENANT: Take = Take {
    most: MAX_TENANT_NAME,
    kept: 0,
};

struct Reading<'a, S> {
    replies: &'a mut Replies<S>,
    /// Bytes that may still be kept.
    left: usize,
    /// Entries that may still be kept.
    entries: usize,
    largest: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reading<'_, S> {
    /// The length of an array with at most this many items; 0 for null.
    async fn array(&mut self, what: &'static str, most: usize) -> Result<usize, RedisError> {
        match self.replies.token(NOTHING).await? {
            Token::Array(length) if length <= most => Ok(length),
            Token::Null => Ok(0),
            Token::Error(line) => Err(server_error(&line)),
            other => Err(other.instead_of(what).into()),
        }
    }

    async fn pair(&mut self, what: &'static str) -> Result<(), RedisError> {
        match self.replies.token(NOTHING).await? {
            Token::Array(2) => Ok(()),
            other => Err(other.instead_of(what).into()),
        }
    }

    /// An entry; none where its message is gone.
    async fn entry(&mut self) -> Result<Option<Found>, RedisError> {
        self.pair("an entry").await?;
        let id = match self.replies.token(ID).await? {
            Token::Bulk(id) => text(id),
            other => return Err(other.instead_of("an entry's id").into()),
        };
        let fields = match self.replies.token(NOTHING).await? {
            Token::Array(length) => length / 2,
            Token::Null => return Ok(None),
            other => return Err(other.instead_of("an entry's fields").into()),
        };
        let Some(id) = id else {
            return Ok(None);
        };
        let mut entry = Entry::new(id);
        let has_room = self.left > 0 && self.entries > 0;
        for _ in 0..fields {
            let name = match self.replies.token(NAME).await? {
                Token::Bulk(name) => name,
                Token::Cut { start, .. } => start,
                other => return Err(other.instead_of("a field's name").into()),
            };
            match &name[..] {
                b"data" => entry.data = Some(self.data(has_room).await?),
                b"task_id" => entry.task_id = self.task_id().await?,
                b"tenant" => entry.tenant = self.tenant().await?,
                _ => drop(self.replies.token(NOTHING).await?),
            }
        }
        Ok(Some(if has_room {
            let kept = entry.data.as_ref().map_or(0, Stored::kept);
            self.left = self.left.saturating_sub(kept);
            self.entries -= 1;
            Found::Entry(entry)
        } else {
            Found::Postponed(entry)
        }))
    }

    async fn data(&mut self, has_room: bool) -> Result<Stored, RedisError> {
        let take = if has_room { DATA } else { NOTHING };
        let stored = match self.replies.token(take).await? {
            Token::Bulk(bytes) => Stored::Whole(bytes),
            Token::Cut { start, size } => Stored::Beginning { start, size },
            other => return Err(other.instead_of("a message").into()),
        };
        let size = match &stored {
            Stored::Whole(bytes) => bytes.len(),
            Stored::Beginning { size, .. } => usize::try_from(*size).unwrap_or(usize::MAX),
        };
        self.largest = self.largest.max(size.min(MAX_STORED_BYTES));
        Ok(stored)
    }

    /// The default tenant where it is none: such an entry was not written by a script.
    async fn tenant(&mut self) -> Result<TenantName, RedisError> {
        match self.replies.token(NAME_OF_TENANT).await? {
            Token::Bulk(name) => {
                let name = text(name).and_then(|name| name.parse().ok());
                Ok(name.unwrap_or_default())
            }
            Token::Cut { .. } => Ok(TenantName::default()),
            other => Err(other.instead_of("a tenant's name").into()),
        }
    }

    async fn task_id(&mut self) -> Result<Option<chicory_signature::SharedStr>, RedisError> {
        match self.replies.token(TASK_ID).await? {
            Token::Bulk(id) => Ok(text(id).filter(|id| !id.is_empty())),
            Token::Cut { .. } => Ok(None),
            other => Err(other.instead_of("a task's id").into()),
        }
    }
}

/// The client crate's error for an error line, so all errors are told apart in the same way.
pub(super) fn server_error(line: &[u8]) -> RedisError {
    let reply = [b"-", line, b"\r\n"].concat();
    match redis::parse_redis_value(&reply).and_then(redis::Value::extract_error) {
        Err(error) => error,
        Ok(_) => unreachable!("an error's line is an error"),
    }
}
