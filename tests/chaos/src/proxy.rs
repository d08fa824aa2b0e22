//! A network between the program and its server that can be cut, stalled, slowed and swallowed.
//!
//! Must not know what is said over it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It works.
    Passes,
    /// Every third reply is cut in half, and the connection with it.
    Cuts,
    /// Bytes disappear. A connection to which this happened never works again, and says nothing of it.
    Swallows,
    /// Bytes wait for another mode.
    Stalls,
    /// Bytes take 50 ms.
    Slows,
}

/// The delay of a slow network.
const SLOW: Duration = Duration::from_millis(50);
const CHUNK: usize = 16 << 10;

/// A running proxy, for as long as its runtime lives.
#[derive(Debug)]
pub struct Proxy {
    /// Its port on 127.0.0.1.
    pub port: u16,
    mode: watch::Sender<Mode>,
}

impl Proxy {
    /// A proxy in front of this port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub fn start(runtime: &Runtime, server: u16) -> std::io::Result<Self> {
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        let (mode, seen) = watch::channel(Mode::Passes);
        runtime.spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(join(client, server, seen.clone()));
                }
            }
        });
        Ok(Self { port, mode })
    }

    /// Changes what the network does from now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// Carries bytes both ways until one side ends, then ends both.
async fn join(client: TcpStream, server: u16, mut mode: watch::Receiver<Mode>) {
    if swallowed(&mut mode).await {
        return swallow(client).await;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
        return;
    };
    // Without this, small commands would wait for each other in a way that no real network makes them.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = Way {
        from: from_client,
        to: to_server,
        mode: mode.clone(),
        replies: false,
    };
    let replied = Way {
        from: from_server,
        to: to_client,
        mode,
        replies: true,
    };
    tokio::select! {
        () = asked.carry() => {}
        () = replied.carry() => {}
    }
}

/// Waits while the network stalls; whether it swallows then.
async fn swallowed(mode: &mut watch::Receiver<Mode>) -> bool {
    let now = mode.wait_for(|mode| *mode != Mode::Stalls).await;
    now.is_ok_and(|mode| *mode == Mode::Swallows)
}

/// Reads until the client gives up.
async fn swallow(mut client: TcpStream) {
    let mut chunk = vec![0; CHUNK];
    while client.read(&mut chunk).await.is_ok_and(|read| read > 0) {}
}

/// One direction of a connection.
struct Way {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mode: watch::Receiver<Mode>,
    /// Whether it leads to the client.
    replies: bool,
}

impl Way {
    async fn carry(mut self) {
        let mut chunk = vec![0; CHUNK];
        let mut carried = 0_usize;
        let mut lost = false;
        loop {
            let read = match self.from.read(&mut chunk).await {
                Ok(read) if read > 0 => read,
                // A swallowed end is swallowed too: the other side hears nothing.
                _ if lost && self.replies => std::future::pending().await,
                _ => return,
            };
            lost = lost || swallowed(&mut self.mode).await;
            if lost {
                continue;
            }
            carried += 1;
            let mode = *self.mode.borrow();
            let cut = mode == Mode::Cuts && self.replies && carried.is_multiple_of(3);
            if mode == Mode::Slows {
                tokio::time::sleep(SLOW).await;
            }
            let sent = if cut {
                &chunk[..read / 2]
            } else {
                &chunk[..read]
            };
            if self.to.write_all(sent).await.is_err() || cut {
                return;
            }
        }
    }
}
