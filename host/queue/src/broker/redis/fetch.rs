//! Leasing ready messages, by blocking reads on connections of their own.
//!
//! A read's COUNT applies to each stream. So that never more is leased than was asked for, one read covers at
//! most as many queues as deliveries are wanted; the other queues have their turn in the next reads.
//! [`Backlog`] knows which of many queues are worth a long turn.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{Cmd, RedisResult, Value, cmd};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::RedisBroker;
use super::entry::{Recipient, array, delivery};
use super::fault::{is_no_group, spoils_connection};
use super::link::Link;
use super::server::RESPONSE_TIMEOUT;
use crate::fairness::{Backlog, Rotation, share, width};
use crate::{BrokerError, Delivery, FetchRequest};

/// The server may not have begun to block when it is told to stop, so it is told again after this time.
const UNBLOCK_AGAIN: Duration = Duration::from_millis(10);
/// A group may vanish again (a server flushed over and over) before it is read from.
const GROUP_ATTEMPTS: usize = 3;

/// Connections for blocking reads: as many as reads have been going on at once.
#[derive(Default)]
pub(super) struct Readers {
    idle: Mutex<Vec<Reader>>,
    rotation: Rotation,
    backlog: Backlog,
}

/// A connection on which one read at a time may block. Dropped in mid-read, it is closed.
struct Reader {
    link: Link,
    /// By which the server can be told to end a read; none on a Cluster.
    client: Option<i64>,
}

/// One read: these queues, and the maximum number of entries of each.
struct Read<'a> {
    request: &'a FetchRequest<'a>,
    queues: &'a [&'a Arc<str>],
    count: usize,
}

pub(super) async fn fetch(
    broker: &RedisBroker,
    request: FetchRequest<'_>,
) -> Result<Vec<Delivery>, BrokerError> {
    if request.queues.is_empty() || request.limit == 0 {
        return Ok(Vec::new());
    }
    let mut reader = match broker.readers.take() {
        Some(reader) => reader,
        None => open(broker).await?,
    };
    match fetch_with(broker, &request, &mut reader).await {
        Ok(deliveries) => {
            broker.readers.put_back(reader);
            Ok(deliveries)
        }
        Err(error) => {
            // This connection is dropped, and so are the idle ones, which broke with it.
            if spoils_connection(&error) {
                broker.readers.clear();
            }
            Err(broker.connection.server().broker_error(&error))
        }
    }
}

async fn fetch_with(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    reader: &mut Reader,
) -> RedisResult<Vec<Delivery>> {
    let topology = broker.connection.server().topology();
    let queues = broker.readers.rotation.next(request.queues);
    if topology.keys_are_together() {
        let deliveries = take_turn(broker, request, &queues, reader).await?;
        if !deliveries.is_empty() {
            return Ok(deliveries);
        }
    }
    let widest = topology.queues_per_read(queues.len(), request.limit);
    let groups: Vec<&[&Arc<str>]> = queues.chunks(widest).collect();
    let deadline = Instant::now() + request.block.min(broker.block);
    let turn = topology.turn(groups.len());
    if groups.len() > 1 {
        for group in &groups {
            let deliveries = fill(broker, request, group, Duration::ZERO, reader).await?;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }
    for group in groups.iter().cycle() {
        let left = deadline.saturating_duration_since(Instant::now());
        let block = if request.interrupt.is_cancelled() {
            Duration::ZERO
        } else {
            left.min(turn)
        };
        let deliveries = fill(broker, request, group, block, reader).await?;
        if !deliveries.is_empty() || block.is_zero() || block == left {
            return Ok(deliveries);
        }
    }
    Ok(Vec::new())
}

/// Reads without waiting from the queues whose turn it is, if many have a backlog.
async fn take_turn(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[&Arc<str>],
    reader: &mut Reader,
) -> RedisResult<Vec<Delivery>> {
    let turn = broker.readers.backlog.turn(queues, request.limit);
    let mut deliveries = Vec::new();
    if !turn.others.is_empty() {
        deliveries = fill(broker, request, &turn.others, Duration::ZERO, reader).await?;
    }
    let left = request.limit - deliveries.len();
    let backlogged = &turn.backlogged[..width(left).min(turn.backlogged.len())];
    if !backlogged.is_empty() {
        let request = FetchRequest {
            limit: left,
            ..*request
        };
        let more = fill(broker, &request, backlogged, Duration::ZERO, reader).await;
        match more {
            Ok(more) => deliveries.extend(more),
            // What has been delivered must not be lost; the next read meets the failure again.
            Err(_) if !deliveries.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deliveries)
}

/// Reads from a group of queues, and once more from those that may have more, up to the limit.
async fn fill(
    broker: &RedisBroker,
    request: &FetchRequest<'_>,
    queues: &[&Arc<str>],
    block: Duration,
    reader: &mut Reader,
) -> RedisResult<Vec<Delivery>> {
    let count = share(request.limit, queues.len());
    let read = Read {
        request,
        queues,
        count,
    };
    let (mut deliveries, full) = read_once(broker, &read, block, reader).await?;
    let left = request.limit - deliveries.len();
    if !full.is_empty() && full.len() < queues.len() && left >= full.len() {
        let read = Read {
            request,
            queues: &full,
            count: share(left, full.len()),
        };
        // A failure here must not lose what has been delivered; the next read meets it again.
        if let Ok((more, _)) = read_once(broker, &read, Duration::ZERO, reader).await {
            deliveries.extend(more);
        }
    }
    Ok(deliveries)
}

/// The deliveries of one read, and the queues that gave all they were asked for.
async fn read_once<'a>(
    broker: &RedisBroker,
    read: &Read<'a>,
    block: Duration,
    reader: &mut Reader,
) -> RedisResult<(Vec<Delivery>, Vec<&'a Arc<str>>)> {
    let streams: Vec<String> = read
        .queues
        .iter()
        .map(|queue| broker.keys.stream(queue))
        .collect();
    let command = command(broker, read, &streams, block);
    // Known before the read, so that a reclaim after it is noticed.
    let reclaims = broker.reclaims.known(read.queues);
    let mut attempt = 1;
    let answer = loop {
        match send(broker, &command, block, read.request.interrupt, reader).await {
            Err(error) if is_no_group(&error) && attempt < GROUP_ATTEMPTS => {
                create_groups(broker, &streams).await?;
                attempt += 1;
            }
            answer => break answer?,
        }
    };
    let (deliveries, full) = sort_out(answer, read, &streams, &reclaims);
    broker.readers.backlog.note(read.queues, &full);
    Ok((deliveries, full))
}

fn command(broker: &RedisBroker, read: &Read<'_>, streams: &[String], block: Duration) -> Cmd {
    let mut command = cmd("XREADGROUP");
    command
        .arg("GROUP")
        .arg(&broker.group)
        .arg(&**read.request.consumer)
        .arg("COUNT")
        .arg(read.count);
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

/// Sends a read and waits for its answer. An interruption makes the server answer at once; the answer is still
/// awaited, since what was delivered must not be lost.
async fn send(
    broker: &RedisBroker,
    command: &Cmd,
    block: Duration,
    interrupt: &CancellationToken,
    reader: &mut Reader,
) -> RedisResult<Value> {
    let client = reader.client.filter(|_| !block.is_zero());
    let timed = tokio::time::timeout(
        block + RESPONSE_TIMEOUT,
        command.query_async(&mut reader.link),
    );
    let mut answer = pin!(async move {
        match timed.await {
            Ok(answer) => answer,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    });
    let Some(client) = client else {
        return answer.await;
    };
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        () = interrupt.cancelled() => {}
    }
    loop {
        let mut command = cmd("CLIENT");
        command.arg("UNBLOCK").arg(client);
        // If this fails, the read ends when its time is over. It is awaited, so that it can't end the next read.
        let _ = broker.connection.query::<Value>(&command).await;
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = tokio::time::sleep(UNBLOCK_AGAIN) => {}
        }
    }
}

fn sort_out<'a>(
    answer: Value,
    read: &Read<'a>,
    streams: &[String],
    reclaims: &[Option<u64>],
) -> (Vec<Delivery>, Vec<&'a Arc<str>>) {
    let (mut deliveries, mut full) = (Vec::new(), Vec::new());
    for stream in array(answer).unwrap_or_default() {
        let mut parts = array(stream).unwrap_or_default().into_iter();
        let (Some(Value::BulkString(key)), Some(entries)) = (parts.next(), parts.next()) else {
            continue;
        };
        let Some(place) = streams.iter().position(|stream| stream.as_bytes() == key) else {
            continue;
        };
        let queue = read.queues[place];
        let entries = array(entries).unwrap_or_default();
        if entries.len() >= read.count {
            full.push(queue);
        }
        let recipient = Recipient {
            queue,
            consumer: read.request.consumer,
            reclaims: reclaims[place],
        };
        // The iterator has no size hint; reserving avoids repeated reallocation.
        deliveries.reserve(entries.len());
        deliveries.extend(
            entries
                .into_iter()
                .filter_map(|entry| delivery(entry, recipient)),
        );
    }
    (deliveries, full)
}

/// Makes sure that the group exists on all these streams; where the server restarted empty, none does.
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

async fn open(broker: &RedisBroker) -> Result<Reader, BrokerError> {
    let server = broker.connection.server();
    // The shared connection goes first: it paces attempts while the server is away.
    broker.connection.ready().await?;
    let opened = async {
        let mut link = server.open(None).await?;
        let client = if server.topology().reads_can_be_interrupted() {
            Some(cmd("CLIENT").arg("ID").query_async(&mut link).await?)
        } else {
            None
        };
        Ok(Reader { link, client })
    };
    match opened.await {
        Ok(reader) => Ok(reader),
        Err(error) => {
            broker.connection.close().await;
            Err(server.broker_error(&error))
        }
    }
}

impl Readers {
    fn take(&self) -> Option<Reader> {
        self.idle.lock().expect("no panic while it is held").pop()
    }

    fn put_back(&self, reader: Reader) {
        self.idle
            .lock()
            .expect("no panic while it is held")
            .push(reader);
    }

    fn clear(&self) {
        self.idle.lock().expect("no panic while it is held").clear();
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}
