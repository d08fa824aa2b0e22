//! Connections for blocking reads: as many as reads have been going on at once.
//!
//! Must not know what is read.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisResult;

use super::RedisBroker;
use super::connection::Way;
use super::node::Node;
use super::read_reply::{Bounds, Found, read_reply, server_error};
use super::resp::{Replies, Take, Token};
use super::shared::Shared;
use super::socket::Socket;
use super::target::RESPONSE_TIMEOUT;

/// The longest read that the server can't be told to end.
const UNENDING: Duration = Duration::from_millis(200);
/// The longest read on a node of a Cluster: one that hangs is noticed after the read.
const ON_NODE: Duration = Duration::from_secs(1);

/// The connections that no read uses now.
#[derive(Default)]
pub(super) struct Readers {
    idle: Mutex<Vec<Reader>>,
}

/// A connection on which one read at a time may block. Dropped in mid-read, it is closed.
pub(super) struct Reader {
    replies: Replies<Socket>,
    server: Arc<Shared>,
    /// The client number that lets the server end a read; `None` if CLIENT is not allowed.
    client: Option<i64>,
    /// None where there is only one server.
    node: Option<Node>,
    /// How many times the Sentinels had named another master when it was opened.
    switches: u64,
    /// The last reply was not read to its end: what is left of it would be taken for the next one.
    in_reply: bool,
    /// It has been idle since its last read, so the server may have closed it.
    was_idle: bool,
}

impl Reader {
    /// The client number that lets the server end a read.
    pub(super) fn client(&self) -> Option<i64> {
        self.client
    }

    /// How long a read may block, at most this time. One that can't be ended is short, so a drain needn't wait for it.
    pub(super) fn block(&self, wanted: Duration) -> Duration {
        match (self.client, &self.node) {
            (None, _) => wanted.min(UNENDING),
            (Some(_), Some(_)) => wanted.min(ON_NODE),
            (Some(_), None) => wanted,
        }
    }

    /// The Cluster node it is connected to.
    pub(super) fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Whether its server is no longer the master, according to the Sentinels.
    pub(super) fn is_former(&self) -> bool {
        self.server.target().switches() != self.switches
    }

    /// Other commands to the same server.
    pub(super) fn server(&self) -> &Arc<Shared> {
        &self.server
    }

    /// Returns once the server is no longer the master, according to the Sentinels.
    pub(super) fn switched(&self) -> impl Future<Output = ()> + use<> {
        let (server, since) = (Arc::clone(&self.server), self.switches);
        async move { server.target().switched(since).await }
    }

    /// Whether it has been idle since its last read. If reading from it fails, that says nothing about the server.
    pub(super) fn was_idle(&self) -> bool {
        self.was_idle
    }

    /// Sends a packed command that blocks for up to this time, and reads its reply. With `asking`, a node that the
    /// stream is being moved to answers before all of it has arrived.
    pub(super) async fn read(
        &mut self,
        command: &[u8],
        asking: bool,
        block: Duration,
        bounds: Bounds<'_>,
        found: impl FnMut(usize, Found),
    ) -> RedisResult<usize> {
        if std::mem::replace(&mut self.in_reply, true) {
            return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        }
        if asking {
            let ask = b"*1\r\n$6\r\nASKING\r\n";
            self.replies.send(ask, RESPONSE_TIMEOUT).await?;
            if let Token::Error(line) = self.replies.token(Take { most: 0, kept: 0 }).await? {
                return Err(server_error(&line));
            }
        }
        self.replies
            .send(command, block.saturating_add(RESPONSE_TIMEOUT))
            .await?;
        let answer = read_reply(&mut self.replies, bounds, found).await;
        // An error that the server answers is a whole reply.
        self.in_reply = answer.as_ref().is_err_and(|error| error.code().is_none());
        answer
    }
}

impl Readers {
    /// A connection to this node, if one is given, or to the server that has this stream.
    pub(super) async fn get(
        &self,
        broker: &RedisBroker,
        node: Option<Node>,
        stream: &str,
    ) -> RedisResult<Reader> {
        let way = broker.connection.way();
        if let Way::One(server) = way {
            server.target().decided().await;
        }
        let (node, server) = match way {
            Way::One(server) => (None, Arc::clone(server)),
            Way::Cluster(cluster) => {
                let node = match node {
                    Some(node) => node,
                    None => cluster.owner(stream).await?,
                };
                let server = cluster.node(&node);
                (Some(node), server)
            }
        };
        let idle = {
            let mut idle = lock(&self.idle);
            let switches = server.target().switches();
            let fits = |reader: &Reader| reader.node == node && reader.switches == switches;
            let place = idle.iter().rposition(fits);
            place.map(|place| idle.swap_remove(place))
        };
        if let Some(mut reader) = idle
            && reader.replies.is_quiet()
        {
            reader.was_idle = true;
            return Ok(reader);
        }
        // There is none, or the server has closed it while it was idle.
        open(server, node).await
    }

    /// Takes back a connection whose reply was read to its end.
    pub(super) fn put_back(&self, reader: Reader) {
        if !reader.in_reply {
            lock(&self.idle).push(reader);
        }
    }

    /// Closes all that are idle.
    pub(super) fn close_idle(&self) {
        lock(&self.idle).clear();
    }
}

async fn open(server: Arc<Shared>, node: Option<Node>) -> RedisResult<Reader> {
    // The shared connection goes first: it paces attempts while the server is away.
    server.link().await?;
    let switches = server.target().switches();
    match server.target().open_socket(true).await {
        Ok((socket, client)) => Ok(Reader {
            replies: Replies::new(socket, RESPONSE_TIMEOUT),
            server,
            client,
            node,
            switches,
            in_reply: false,
            was_idle: false,
        }),
        Err(error) => {
            server.close().await;
            Err(error)
        }
    }
}

/// Nothing panics under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}
