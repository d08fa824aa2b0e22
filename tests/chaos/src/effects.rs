//! The server that tasks call, which counts what they do and decides whether they fail.
//!
//! Must not know the queue: what it counts is what has really run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::task::Kind;

/// The start of a task, as its call showed it.
#[derive(Debug, Clone, Copy)]
pub struct Execution {
    /// When the call came.
    pub begun: Instant,
    /// The same in seconds since 1970, by this machine's clock.
    pub begun_at: f64,
}

type Seen = Arc<Mutex<HashMap<String, Vec<Execution>>>>;

/// The server, for as long as its runtime lives.
#[derive(Debug)]
pub struct Effects {
    /// Its address and port.
    pub authority: String,
    seen: Seen,
}

/// The answer that lets a task succeed.
const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
/// An answer that ends before it is complete: the guest's own error.
const BROKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\nbroken";

impl Effects {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub fn start(runtime: &Runtime) -> std::io::Result<Self> {
        let seen = Seen::default();
        let counted = Arc::clone(&seen);
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let authority = listener.local_addr()?.to_string();
        runtime.spawn(async move {
            loop {
                // Out of file descriptors, at worst: then the task's call breaks, which the account shows.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&counted)));
                }
            }
        });
        Ok(Self { authority, seen })
    }

    /// All executions so far, by the task's id.
    pub fn seen(&self) -> HashMap<String, Vec<Execution>> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Seconds since 1970, by this machine's clock.
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

async fn serve(mut stream: TcpStream, seen: Seen) -> Option<()> {
    let path = path_of(&mut stream).await?;
    let (id, takes) = path.trim_start_matches('/').split_once('/')?;
    let takes = Duration::from_millis(takes.parse().ok()?);
    let kind = Kind::of_id(id)?;
    let earlier = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let executions = seen.entry(id.to_owned()).or_default();
        executions.push(Execution {
            begun: Instant::now(),
            begun_at: now(),
        });
        executions.len() - 1
    };
    tokio::time::sleep(takes).await;
    let answer = if earlier < kind.failures() {
        BROKEN
    } else {
        FINE
    };
    // A worker that was killed no longer listens.
    stream.write_all(answer).await.ok()?;
    stream.shutdown().await.ok()
}

/// The path of a GET request.
async fn path_of(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        head.extend_from_slice(&chunk[..read]);
    }
    let head = String::from_utf8(head).ok()?;
    head.split(' ').nth(1).map(str::to_owned)
}
