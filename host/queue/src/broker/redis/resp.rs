//! RESP2, the protocol that Redis replies in, read token by token out of one buffer.
//!
//! A bulk string is a slice of the buffer that it was received in, so what arrives together shares an allocation. Its
//! length comes before its bytes: if it is longer than the caller takes, only its beginning is kept, and the rest
//! is dropped as it arrives. Arrays are only announced, so nesting costs nothing. Must not know commands.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use redis::{ErrorKind, RedisError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest line of a status or an error that is read.
const MAX_LINE: usize = 64 << 10;
/// The longest number of a length or an integer: a sign and twenty digits.
const MAX_NUMBER: usize = 21;
/// Space for one read from the socket: some hundred small messages.
const CHUNK: usize = 32 << 10;
/// With less space than this, a read from the socket would bring too little.
const MIN_SPACE: usize = 4 << 10;

/// The next part of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// This many values follow.
    Array(usize),
    /// A bulk string.
    Bulk(Bytes),
    /// The beginning of a bulk string that is longer than was asked for.
    Cut {
        start: Bytes,
        size: u64,
    },
    Int(i64),
    Status(Bytes),
    Error(Bytes),
    Null,
}

/// How much of a bulk string is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Take {
    /// One with more bytes is cut.
    pub(super) most: usize,
    /// How many bytes are kept of one that is cut.
    pub(super) kept: usize,
}

/// What arrived is not RESP2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolError {
    #[error("a value begins with the byte {0:#04x}, where RESP2 has one of + - : $ *")]
    Kind(u8),
    #[error("{0:?} is not a length or an integer")]
    Number(String),
    #[error("{0} is not a length, which is 0 or more, or -1 for null")]
    Length(i64),
    #[error("a line is longer than {0} bytes")]
    Line(usize),
    #[error("a value doesn't end with CR LF")]
    End,
    #[error("expected {expected}, got {found}")]
    Unexpected {
        expected: &'static str,
        found: &'static str,
    },
}

impl From<ProtocolError> for RedisError {
    fn from(error: ProtocolError) -> Self {
        let text = "the server's reply can't be read";
        (ErrorKind::Parse, text, error.to_string()).into()
    }
}

impl Token {
    /// The error for a token where another kind was expected.
    pub(super) fn instead_of(&self, expected: &'static str) -> ProtocolError {
        let found = match self {
            Self::Array(_) => "an array",
            Self::Bulk(_) | Self::Cut { .. } => "a bulk string",
            Self::Int(_) => "an integer",
            Self::Status(_) => "a status",
            Self::Error(_) => "an error",
            Self::Null => "null",
        };
        ProtocolError::Unexpected { expected, found }
    }
}

/// Where the decoder is.
#[derive(Debug, Default)]
enum State {
    /// Before a value.
    #[default]
    Start,
    /// In a bulk string of this many bytes, which is wanted whole.
    Bulk(usize),
    /// In a bulk string of which `left` bytes have yet to arrive.
    Cut {
        start: Vec<u8>,
        kept: usize,
        left: u64,
        size: u64,
    },
}

/// Turns what has arrived into tokens.
#[derive(Debug, Default)]
pub(super) struct Decoder(State);

impl Decoder {
    /// Takes the next token out of the buffer; `None` if more has to arrive first.
    pub(super) fn next(
        &mut self,
        buffer: &mut BytesMut,
        take: Take,
    ) -> Result<Option<Token>, ProtocolError> {
        loop {
            match &mut self.0 {
                State::Start => match begin(buffer, take)? {
                    Begun::Token(token) => return Ok(Some(token)),
                    Begun::More => return Ok(None),
                    Begun::In(state) => self.0 = state,
                },
                State::Bulk(length) => {
                    let length = *length;
                    if buffer.len() < length + 2 {
                        return Ok(None);
                    }
                    let text = buffer.split_to(length).freeze();
                    end(buffer)?;
                    self.0 = State::Start;
                    return Ok(Some(Token::Bulk(text)));
                }
                State::Cut {
                    start,
                    kept,
                    left,
                    size,
                } => {
                    let here = usize::try_from(*left).map_or(buffer.len(), |n| n.min(buffer.len()));
                    let first = here.min(*kept - start.len());
                    start.extend_from_slice(&buffer[..first]);
                    buffer.advance(here);
                    *left -= here as u64;
                    if *left > 0 || buffer.len() < 2 {
                        return Ok(None);
                    }
                    end(buffer)?;
                    let (start, size) = (std::mem::take(start).into(), *size);
                    self.0 = State::Start;
                    return Ok(Some(Token::Cut { start, size }));
                }
            }
        }
    }

    /// How many more bytes must arrive before it is worth looking again, as far as that is known.
    fn wanted(&self, buffer: &BytesMut) -> usize {
        match self.0 {
            State::Bulk(length) => (length + 2).saturating_sub(buffer.len()),
            State::Start | State::Cut { .. } => 1,
        }
    }
}

/// What the beginning of a value says.
enum Begun {
    Token(Token),
    In(State),
    More,
}

fn begin(buffer: &mut BytesMut, take: Take) -> Result<Begun, ProtocolError> {
    let Some(&kind) = buffer.first() else {
        return Ok(Begun::More);
    };
    let most = match kind {
        b'+' | b'-' => MAX_LINE,
        b':' | b'$' | b'*' => MAX_NUMBER,
        other => return Err(ProtocolError::Kind(other)),
    };
    let Some(length) = line(&buffer[1..], most)? else {
        return Ok(Begun::More);
    };
    if matches!(kind, b'+' | b'-') {
        buffer.advance(1);
        let text = buffer.split_to(length).freeze();
        end(buffer)?;
        return Ok(Begun::Token(match kind {
            b'+' => Token::Status(text),
            _ => Token::Error(text),
        }));
    }
    let number = number(&buffer[1..=length])?;
    buffer.advance(length + 3);
    if kind == b':' {
        return Ok(Begun::Token(Token::Int(number)));
    }
    if number == -1 {
        return Ok(Begun::Token(Token::Null));
    }
    let size = u64::try_from(number).map_err(|_| ProtocolError::Length(number))?;
    let length = usize::try_from(number).map_err(|_| ProtocolError::Length(number))?;
    Ok(match kind {
        b'*' => Begun::Token(Token::Array(length)),
        _ if length <= take.most => Begun::In(State::Bulk(length)),
        _ => Begun::In(State::Cut {
            start: Vec::new(),
            kept: take.kept,
            left: size,
            size,
        }),
    })
}

/// The length of a line without its line end; `None` if that has yet to arrive.
fn line(bytes: &[u8], most: usize) -> Result<Option<usize>, ProtocolError> {
    let window = &bytes[..bytes.len().min(most + 1)];
    match window.iter().position(|byte| *byte == b'\r') {
        Some(place) => match bytes.get(place + 1) {
            Some(b'\n') => Ok(Some(place)),
            Some(_) => Err(ProtocolError::End),
            None => Ok(None),
        },
        None if window.len() > most => Err(ProtocolError::Line(most)),
        None => Ok(None),
    }
}

fn number(bytes: &[u8]) -> Result<i64, ProtocolError> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| ProtocolError::Number(String::from_utf8_lossy(bytes).into_owned()))
}

fn end(buffer: &mut BytesMut) -> Result<(), ProtocolError> {
    if !buffer.starts_with(b"\r\n") {
        return Err(ProtocolError::End);
    }
    buffer.advance(2);
    Ok(())
}

/// A socket on which one command at a time is answered.
pub(super) struct Replies<S> {
    socket: S,
    buffer: BytesMut,
    decoder: Decoder,
    /// How long the next bytes may take.
    patience: Duration,
    /// The same once a reply has begun.
    pace: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Replies<S> {
    /// Reads from this socket. Once a reply has begun, more of it has to arrive within `pace`.
    pub(super) fn new(socket: S, pace: Duration) -> Self {
        Self {
            socket,
            buffer: BytesMut::new(),
            decoder: Decoder::default(),
            patience: pace,
            pace,
        }
    }

    /// Whether the socket is open, and nothing has arrived that nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        self.buffer.is_empty() && self.socket.read(&mut byte).now_or_never().is_none()
    }

    /// Sends a command, whose reply has to begin within `patience`.
    pub(super) async fn send(&mut self, command: &[u8], patience: Duration) -> io::Result<()> {
        self.patience = patience;
        let sent = async {
            self.socket.write_all(command).await?;
            self.socket.flush().await
        };
        in_time(self.pace, sent).await
    }

    /// The next token of the reply.
    pub(super) async fn token(&mut self, take: Take) -> Result<Token, RedisError> {
        loop {
            if let Some(token) = self.decoder.next(&mut self.buffer, take)? {
                return Ok(token);
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        let wanted = self.decoder.wanted(&self.buffer);
        let space = self.buffer.capacity() - self.buffer.len();
        if space < wanted.max(MIN_SPACE) {
            self.buffer.reserve(wanted.max(CHUNK));
        }
        let received = self.socket.read_buf(&mut self.buffer);
        if in_time(self.patience, received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.patience = self.pace;
        Ok(())
    }
}

async fn in_time<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests;
