//! One read of ready messages from the streams of some queues.
//!
//! Keeps a limited number of bytes: messages beyond it are given back, and fetched again by reclaiming them. To keep
//! this rare, a read asks for fewer entries while messages are large. Must not know whose turn it is.

mod catch;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use tokio_util::sync::CancellationToken;

use self::catch::Catch;
use super::RedisBroker;
use super::cluster::PATIENCE;
use super::connection::Way;
use super::fault::is_no_group;
use super::give_back::give_back;
use super::keys::Part;
use super::node::Node;
use super::read_reply::Bounds;
use super::readers::Reader;
use super::remedy::is_trouble;
use super::request::Request;
use crate::{Delivery, FetchRequest};

/// The server may not have begun to block when it is told to stop, so it is told again after this time.
const UNBLOCK_AGAIN: Duration = Duration::from_millis(10);
/// A group may vanish again (a server flushed over and over) before it is read from, and a stream may move on.
const ATTEMPTS: usize = 3;

/// One read: these parts of these queues, and the maximum number of entries from each.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) consumer: &'a Arc<str>,
    pub(super) interrupt: &'a CancellationToken,
    pub(super) queues: &'a [&'a Arc<str>],
    pub(super) parts: &'static [Part],
    pub(super) count: usize,
    /// The maximum number of entries in total.
    pub(super) limit: usize,
    pub(super) bytes: usize,
}

/// What a read brought.
#[derive(Default)]
pub(super) struct Brought<'a> {
    pub(super) deliveries: Vec<Delivery>,
    /// The queues that gave all they were asked for.
    pub(super) full: Vec<&'a Arc<str>>,
}

/// All that a worker may take. What tenants have admitted comes first: if there is more than there is room for, this tells that
/// they share the queue.
pub(super) const EVERY_PART: &[Part] = &[Part::Admitted, Part::Own];

impl<'a> Read<'a> {
    /// A read of these queues, as far as the request leaves room after these deliveries.
    pub(super) fn of(
        request: &FetchRequest<'a>,
        queues: &'a [&'a Arc<str>],
        count: usize,
        before: &[Delivery],
    ) -> Self {
        let taken: usize = before.iter().map(|delivery| delivery.raw.len()).sum();
        Self {
            consumer: request.consumer,
            interrupt: request.interrupt,
            queues,
            parts: EVERY_PART,
            count,
            limit: request.limit.saturating_sub(before.len()),
            bytes: request.bytes.saturating_sub(taken),
        }
    }

    /// Reads once, blocking for up to this time.
    pub(super) async fn once(
        self,
        broker: &RedisBroker,
        block: Duration,
    ) -> RedisResult<Brought<'a>> {
        let parts = self.parts;
        match self.all(broker, block).await {
            // While a slot moves, its nodes refuse a command on keys of which each has some.
            Err(error) if parts.len() > 1 && is_try_again(&error) => {
                let mut brought = self.only(parts[0]).all(broker, Duration::ZERO).await?;
                if brought.deliveries.is_empty() {
                    brought = self.only(parts[1]).all(broker, block).await?;
                }
                Ok(brought)
            }
            answer => answer,
        }
    }

    async fn all(mut self, broker: &RedisBroker, block: Duration) -> RedisResult<Brought<'a>> {
        let fitting = broker.usual_size.fitting(self.bytes);
        self.count = self.count.min((fitting / self.queues.len()).max(1));
        let parts = |queue| {
            let keys = &broker.root;
            self.parts.iter().map(move |part| keys.ready(*part, queue))
        };
        let streams: Vec<String> = self.queues.iter().flat_map(|queue| parts(queue)).collect();
        // Known before the read, so that a reclaim after it is noticed.
        let reclaims = broker.reclaims.known(self.queues);
        let mut catch = Catch::new(&self, &reclaims);
        self.try_often(broker, &streams, block, &mut catch).await?;
        let (brought, postponed) = catch.sort_out();
        for (place, entries) in postponed {
            let (queue, part) = self.place(place);
            give_back(broker, queue, part, self.consumer, &entries).await;
        }
        Ok(brought)
    }

    /// The same for one part of the queues.
    pub(super) fn only(self, part: Part) -> Self {
        let parts: &[Part] = match part {
            Part::Own => &[Part::Own],
            Part::Admitted => &[Part::Admitted],
        };
        Self { parts, ..self }
    }

    /// Which part of which queue a stream has, by its place among those that are read.
    fn place(&self, place: usize) -> (&'a Arc<str>, Part) {
        let parts = self.parts.len();
        (self.queues[place / parts], self.parts[place % parts])
    }

    /// Reads, and retries after a fault that can be fixed. A Cluster node that does not answer has nothing to read.
    async fn try_often(
        &self,
        broker: &RedisBroker,
        streams: &[String],
        block: Duration,
        catch: &mut Catch<'_, '_>,
    ) -> RedisResult<()> {
        let mut ask = None;
        for attempt in 1.. {
            let asking = ask.is_some();
            let mut reader = match broker.readers.get(broker, ask.take(), &streams[0]).await {
                Ok(reader) => reader,
                Err(error) => return blame(broker, &streams[0], error).await,
            };
            let block = reader.block(block);
            let command = self.command(broker, streams, block).get_packed_command();
            let bounds = Bounds {
                streams,
                count: self.count,
                kept: self.limit,
                bytes: self.bytes,
            };
            let sending = Sending {
                command: &command,
                asking,
                block,
                bounds,
            };
            let node = reader.node().cloned();
            let sent = send(&sending, self.interrupt, &mut reader, catch);
            let Some(answer) = in_time(broker, node.as_ref(), block, sent).await else {
                return Ok(());
            };
            let stale = reader.was_idle() || reader.is_former();
            broker.readers.put_back(reader);
            match answer {
                Ok(largest) => {
                    broker.usual_size.note(largest);
                    return Ok(());
                }
                // What has been delivered must not be lost; the next read meets the failure again.
                Err(_) if !catch.deliveries.is_empty() => return Ok(()),
                // The server may have closed the connection while it was idle, which is not always known in time, or is
                // not the master any more.
                Err(error) if stale && attempt < ATTEMPTS && is_closed(&error) => {
                    broker.readers.close_idle();
                }
                Err(error) if attempt < ATTEMPTS && !is_trouble(&error) => {
                    ask = self.recover(broker, streams, error).await?;
                }
                Err(error) => return blame(broker, &streams[0], error).await,
            }
        }
        Ok(())
    }

    fn command(&self, broker: &RedisBroker, streams: &[String], block: Duration) -> Cmd {
        let mut command = cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(&broker.group)
            .arg(&**self.consumer)
            .arg("COUNT")
            .arg(self.count);
        // BLOCK 0 would never end.
        let milliseconds = u64::try_from(block.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        if milliseconds > 0 {
            command.arg("BLOCK").arg(milliseconds);
        }
        command.arg("STREAMS").arg(streams);
        for _ in streams {
            command.arg(">");
        }
        command
    }

    /// Logs that groups which this worker has used before were gone. Groups it has not used are new.
    fn say_lost(&self, broker: &RedisBroker) {
        let known = broker.reclaims.known(self.queues);
        let used = self
            .queues
            .iter()
            .zip(known)
            .filter(|(_, known)| known.is_some());
        let queues: Vec<&str> = used.map(|(queue, _)| &***queue).collect();
        if !queues.is_empty() {
            tracing::warn!(
                queues = %queues.join(","),
                "a queue's consumer group was gone, with its leases (FLUSHALL, XGROUP DESTROY, or a server that lost its \
                 data): made again"
            );
        }
    }

    /// Fixes what made the read fail. Returns the node to ask next time, if it differs for that attempt only.
    async fn recover(
        &self,
        broker: &RedisBroker,
        streams: &[String],
        error: RedisError,
    ) -> RedisResult<Option<Node>> {
        if is_no_group(&error) {
            create_groups(broker, streams).await?;
            self.say_lost(broker);
            return Ok(None);
        }
        let node = error.redirect_node().and_then(|(at, _)| Node::parse(at));
        match (broker.connection.way(), error.kind(), node) {
            (Way::One(_), ..) | (_, _, None) => Err(error),
            (_, ErrorKind::Server(ServerErrorKind::Ask), Some(node)) => Ok(Some(node)),
            (Way::Cluster(cluster), _, Some(node)) => {
                cluster.moved(&streams[0], node);
                Ok(None)
            }
        }
    }
}

fn is_try_again(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain)
}

/// Whether the other end has closed the connection.
fn is_closed(error: &RedisError) -> bool {
    error.is_io_error() && !error.is_timeout()
}

/// On a Cluster, notes a node that can't serve, so it delays only its own queues. Other failures are passed on.
async fn blame(broker: &RedisBroker, stream: &str, error: RedisError) -> RedisResult<()> {
    if let Way::Cluster(cluster) = broker.connection.way()
        && let Ok(node) = cluster.owner(stream).await
        && cluster.blames(&node, &error)
    {
        return Ok(());
    }
    Err(error)
}

/// The answer to a read. `None` if a Cluster node is late with it: the node hangs, and other queues get their turn.
/// Whatever it still delivers is reclaimed once the leases expire.
async fn in_time<T>(
    broker: &RedisBroker,
    node: Option<&Node>,
    block: Duration,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let (Way::Cluster(cluster), Some(node)) = (broker.connection.way(), node) else {
        return Some(answer.await);
    };
    let answered = tokio::time::timeout(block + PATIENCE, answer).await;
    if answered.is_err() {
        cluster.trouble(node);
    }
    answered.ok()
}

/// What is sent, and how much of the reply is kept.
struct Sending<'a> {
    command: &'a [u8],
    asking: bool,
    block: Duration,
    bounds: Bounds<'a>,
}

/// Sends a read and waits for its answer. An interruption makes the server answer at once; the answer is still
/// awaited, since what was delivered must not be lost.
async fn send(
    sending: &Sending<'_>,
    interrupt: &CancellationToken,
    reader: &mut Reader,
    catch: &mut Catch<'_, '_>,
) -> RedisResult<usize> {
    let client = reader.client().filter(|_| !sending.block.is_zero());
    let server = Arc::clone(reader.server());
    let switched = reader.switched();
    let found = |place, found| catch.take(place, found);
    let (command, bounds) = (sending.command, sending.bounds);
    let reading = reader.read(command, sending.asking, sending.block, bounds, found);
    let mut answer = pin!(reading);
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        () = switched => return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
        () = interrupt.cancelled() => {}
    }
    let Some(client) = client else {
        return answer.await;
    };
    loop {
        let mut command = cmd("CLIENT");
        command.arg("UNBLOCK").arg(client);
        // If this fails, the read ends when its time is over. It is awaited, so that it can't end the next read.
        let _ = server.send(Request::One(&command)).await;
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = tokio::time::sleep(UNBLOCK_AGAIN) => {}
        }
    }
}

/// Creates the group on those of these streams that lack it; if the server restarted empty, all do.
async fn create_groups(broker: &RedisBroker, streams: &[String]) -> RedisResult<()> {
    for stream in streams {
        let mut command = cmd("XGROUP");
        command
            .arg("CREATE")
            .arg(stream)
            .arg(&broker.group)
            .arg("0")
            .arg("MKSTREAM");
        match broker.connection.query::<Value>(&command).await {
            Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
