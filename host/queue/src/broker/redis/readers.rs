//! Connections for blocking reads: as many as reads have been going on at once.
//!
//! Must not know what is read.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisResult;

use super::RedisBroker;
use super::link::Link;
use super::node::Node;
use super::read_reply::{Bounds, Found, read_reply, server_error};
use super::resp::{Replies, Take, Token};
use super::server::RESPONSE_TIMEOUT;
use super::socket::Socket;

/// The longest read that the server can't be told to end.
const UNENDING: Duration = Duration::from_millis(200);

/// The connections that no read uses now.
#[derive(Default)]
pub(super) struct Readers {
    idle: Mutex<Vec<Reader>>,
    /// On a Cluster, the nodes that have the streams.
    nodes: Mutex<HashMap<String, Node>>,
}

/// A connection on which one read at a time may block. Dropped in mid-read, it is closed.
pub(super) struct Reader {
    replies: Replies<Socket>,
    /// By which the server can be told to end a read; none on a Cluster, and where CLIENT is not allowed.
    client: Option<i64>,
    /// None where there is only one server.
    node: Option<Node>,
    /// The last reply was not read to its end: what is left of it would be taken for the next one.
    in_reply: bool,
    /// It has been idle since its last read, so the server may have closed it.
    was_idle: bool,
}

impl Reader {
    /// The number by which the server can be told to end a read.
    pub(super) fn client(&self) -> Option<i64> {
        self.client
    }

    /// How long a read on it may block, of this time: one that can't be ended is short, so that a drain needn't wait.
    pub(super) fn block(&self, wanted: Duration) -> Duration {
        match self.client {
            Some(_) => wanted,
            None => wanted.min(UNENDING),
        }
    }

    /// Whether it has been idle since its last read. If reading from it fails, that says nothing about the server.
    pub(super) fn was_idle(&self) -> bool {
        self.was_idle
    }

    /// Sends a packed command that blocks for up to this time, and reads its reply. On a node that the stream is on its
    /// way to, `asking` makes it answer before it has arrived.
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
        let node = match node {
            Some(node) => Some(node),
            None => self.node(broker, stream).await?,
        };
        self.at(broker, node).await
    }

    /// A connection to this node.
    async fn at(&self, broker: &RedisBroker, node: Option<Node>) -> RedisResult<Reader> {
        let idle = {
            let mut idle = lock(&self.idle);
            let place = idle.iter().rposition(|reader| reader.node == node);
            place.map(|place| idle.swap_remove(place))
        };
        if let Some(mut reader) = idle
            && reader.replies.is_quiet()
        {
            reader.was_idle = true;
            return Ok(reader);
        }
        // There is none, or the server has closed it while it was idle.
        open(broker, node).await
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

    /// Closes all that are idle, and forgets which node has what.
    pub(super) fn clear(&self) {
        self.close_idle();
        lock(&self.nodes).clear();
    }

    /// Notes that a stream has moved to another node.
    pub(super) fn moved(&self, stream: &str, node: Node) {
        lock(&self.nodes).insert(stream.to_owned(), node);
    }

    async fn node(&self, broker: &RedisBroker, stream: &str) -> RedisResult<Option<Node>> {
        if broker.connection.server().topology().keys_are_together() {
            return Ok(None);
        }
        let known = lock(&self.nodes).get(stream).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let (link, _) = broker.connection.link().await?;
        let Link::Cluster(mut connection) = link else {
            return Ok(None);
        };
        let node = Node::of(&mut connection, stream).await?;
        self.moved(stream, node.clone());
        Ok(Some(node))
    }
}

async fn open(broker: &RedisBroker, node: Option<Node>) -> RedisResult<Reader> {
    // The shared connection goes first: it paces attempts while the server is away.
    broker.connection.link().await?;
    match broker.connection.server().open_socket(node.as_ref()).await {
        Ok((socket, client)) => Ok(Reader {
            replies: Replies::new(socket, RESPONSE_TIMEOUT),
            client,
            node,
            in_reply: false,
            was_idle: false,
        }),
        Err(error) => {
            broker.connection.close().await;
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
