//! Streams from and to files, with what they hold counted, and what they write.
//!
//! Must not know which file it is.

use bytes::Bytes;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::quota::Allowance;
use crate::held::Held;

/// What a stream counts, in bytes: the engine reads and writes this much at a time.
pub(super) const BUFFER: u64 = 64 << 10;

/// A stream from a file.
pub(super) struct Reading {
    pub(super) inner: DynInputStream,
    pub(super) _held: Held,
}

/// A stream to a file.
pub(super) struct Writing {
    pub(super) inner: DynOutputStream,
    pub(super) _held: Held,
    pub(super) allowance: Allowance,
}

#[async_trait::async_trait]
impl Pollable for Reading {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    fn skip(&mut self, count: usize) -> StreamResult<usize> {
        self.inner.skip(count)
    }

    async fn blocking_skip(&mut self, count: usize) -> StreamResult<usize> {
        self.inner.blocking_skip(count).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

impl Writing {
    fn take(&self, bytes: usize) -> StreamResult<()> {
        let taken = self.allowance.take(bytes as u64);
        taken.map_err(|error| StreamError::LastOperationFailed(error.into()))
    }
}

#[async_trait::async_trait]
impl Pollable for Writing {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Writing {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // One write at a time, of what was allowed: otherwise a guest could have any number under way.
        if bytes.len() > self.inner.check_write()? {
            return Err(StreamError::trap("a write of more than check-write allows"));
        }
        self.take(bytes.len())?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
