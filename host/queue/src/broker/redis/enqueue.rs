//! Adding messages to a queue.
//!
//! Without a limit to check and without delayed messages, a transaction of plain commands is enough. It takes
//! the server a third less time than the script.

use std::time::Duration;

use futures::future::try_join_all;
use redis::{Cmd, Pipeline, RedisWrite, cmd};

use super::RedisBroker;
use super::replicas::{Replicas, Written};
use super::script::{ENQUEUE, ENQUEUE_WAITING, Script};
use super::tenants;
use crate::{BrokerError, Enqueued, OnDuplicate, Results as _, TaskMessage};

/// All or nothing needs one step of the server; a longer one would block all other clients.
const MAX_BATCH: usize = 100_000;

pub(super) async fn enqueue(
    broker: &RedisBroker,
    queue: &str,
    messages: &[TaskMessage],
) -> Result<(), BrokerError> {
    check(messages)?;
    if messages.is_empty() {
        return Ok(());
    }
    let is_plain = |message: &TaskMessage| message.eta.is_none() && message.delay.is_none();
    let is_free = broker.tenant.is_default() && broker.max_stream_length.is_none();
    if is_free && messages.iter().all(is_plain) {
        let stream = broker.keys.stream(queue);
        let may_move = !broker.connection.server().topology().keys_are_together();
        let transaction = transaction(&stream, messages, broker.replicas, may_move);
        let written = broker
            .replicas
            .write(&broker.connection, &transaction)
            .await?;
        return broker
            .replicas
            .check(broker.connection.server(), &written)
            .await;
    }
    let marked = messages.iter().map(|message| (message, ""));
    add(broker, queue, OnDuplicate::Run, marked).await.map(drop)
}

/// The same for messages of which some have noted ids. The queue's own keys say whether one is queued or running, and
/// remember it for as long as its result is kept. Results of messages whose ids were not noted are looked up first.
pub(super) async fn enqueue_noted(
    broker: &RedisBroker,
    queue: &str,
    messages: &[TaskMessage],
    on_duplicate: OnDuplicate,
) -> Result<Vec<Enqueued>, BrokerError> {
    check(messages)?;
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let noted = || messages.iter().filter(|message| message.noted);
    let ids: Vec<&str> = noted().map(|message| &*message.id).collect();
    let mut ended = vec![false; ids.len()].into_iter();
    if on_duplicate == OnDuplicate::Run {
        // Before the messages are added, so clients that wait for their results from now on get the new ones.
        try_join_all(ids.iter().map(|id| broker.results.delete(id))).await?;
    } else {
        ended = broker.results.there(&ids).await?.into_iter();
    }
    let marked = messages.iter().map(|message| {
        let mark = match message.noted.then(|| ended.next()).flatten() {
            None => "",
            Some(false) => "N",
            Some(true) => "E",
        };
        (message, mark)
    });
    let there = add(broker, queue, on_duplicate, marked).await?;
    let mut answers = vec![Enqueued::Added; messages.len()];
    for place in there {
        answers[place] = Enqueued::Present;
    }
    Ok(answers)
}

fn check(messages: &[TaskMessage]) -> Result<(), BrokerError> {
    if messages.len() > MAX_BATCH {
        return Err(BrokerError::Invalid(format!(
            "{} messages are too many for one step (at most {MAX_BATCH}): enqueue them in parts",
            messages.len()
        )));
    }
    messages.iter().try_for_each(TaskMessage::check_size)
}

/// Writes a message's arguments of the script.
fn write(command: &mut Cmd, broker: &RedisBroker, message: &TaskMessage, mark: &str) {
    command.arg(&*message.id).arg(mark);
    match (message.delay, message.eta) {
        (Some(delay), _) => write_due_in(command, broker, delay),
        (None, Some(eta)) => drop(command.arg(eta.as_seconds())),
        (None, None) => drop(command.arg("")),
    }
    write_json(command, message);
}

/// Runs the script. A queue that doesn't know the tenant is told of it, and asked again.
async fn call(
    broker: &RedisBroker,
    queue: &str,
    script: &Script,
    command: &mut Cmd,
) -> Result<(Vec<u64>, Written), BrokerError> {
    tenants::add_place(command, broker, queue);
    let call = || (broker.replicas).call(&broker.connection, script, command);
    let (answer, confirmed): (Vec<u64>, _) = call().await?;
    if answer[..] != [3] {
        return Ok((answer, confirmed));
    }
    tenants::introduce(broker, queue).await?;
    call().await
}

/// There is no room for all messages.
fn full(broker: &RedisBroker, queue: &str, length: u64, limit: u64) -> BrokerError {
    let (queue, tenant) = (queue.to_owned(), broker.tenant.clone());
    if tenant.is_default() {
        return BrokerError::QueueFull {
            queue,
            length,
            limit,
        };
    }
    BrokerError::TenantQueueFull {
        queue,
        tenant,
        length,
        limit,
    }
}

/// Adds messages by the script, each with its mark. Returns the positions of those that were already there.
async fn add<'a>(
    broker: &RedisBroker,
    queue: &str,
    on_duplicate: OnDuplicate,
    marked: impl Iterator<Item = (&'a TaskMessage, &'static str)>,
) -> Result<Vec<usize>, BrokerError> {
    let keys = &broker.keys;
    let (script, ready) = if broker.tenant.is_default() {
        (&*ENQUEUE, keys.stream(queue))
    } else {
        (&*ENQUEUE_WAITING, keys.waiting(queue))
    };
    let mut command = script.command(&[&ready, &keys.delayed(queue), &keys.ids(queue)]);
    match broker.max_stream_length {
        Some(limit) => command.arg(limit),
        None => command.arg(""),
    };
    // Promoters serve all tenants.
    command
        .arg(broker.root.wake(queue))
        .arg(on_duplicate.name());
    write_now(&mut command, broker);
    let mut ids = Vec::new();
    for (message, mark) in marked {
        write(&mut command, broker, message, mark);
        ids.push(&message.id);
    }
    let (answer, confirmed) = call(broker, queue, script, &mut command).await?;
    match answer[..] {
        [0, refused, ref there @ ..] => {
            broker.connection.server().hints().note(refused == 1);
            broker
                .replicas
                .check(broker.connection.server(), &confirmed)
                .await?;
            let places = there
                .iter()
                .filter_map(|place| usize::try_from(*place).ok());
            Ok(places.collect())
        }
        [1, length, limit] => Err(full(broker, queue, length, limit)),
        [2, first, count] => Err(BrokerError::DuplicateId {
            queue: queue.to_owned(),
            id: usize::try_from(first)
                .ok()
                .and_then(|first| ids.get(first))
                .map(ToString::to_string)
                .unwrap_or_default(),
            count,
        }),
        [4] => Err(tenants::suspended(broker).await?),
        [3] => Err(BrokerError::UnknownTenant {
            tenant: broker.tenant.clone(),
        }),
        _ => unreachable!("the script answers in one of five ways"),
    }
}

/// Writes when a message is due that must wait for this long: by the server's clock, unless a test's clock stands in.
pub(super) fn write_due_in(command: &mut Cmd, broker: &RedisBroker, delay: Duration) {
    match broker.clock.of_stores() {
        Some(now) => command.arg(now.after(delay).as_seconds()),
        None => command.arg(format!("+{}", delay.as_secs_f64())),
    };
}

/// Writes the time for a script to use: empty for the server's own.
pub(super) fn write_now(command: &mut Cmd, broker: &RedisBroker) {
    match broker.clock.of_stores() {
        Some(now) => command.arg(now.as_seconds()),
        None => command.arg(""),
    };
}

/// Room for the command of a small message, so it isn't moved while it is written.
const USUAL_SIZE: usize = 320;

/// On a Cluster it is written out as MULTI and EXEC, so it can follow a slot that moves; and so it is before WAIT.
fn transaction(
    stream: &str,
    messages: &[TaskMessage],
    replicas: Replicas,
    may_move: bool,
) -> Pipeline {
    let mut transaction = Pipeline::with_capacity(messages.len() + 3);
    let several = messages.len() > 1;
    let written_out = several && (may_move || replicas.are_wanted());
    if written_out {
        transaction.add_command(cmd("MULTI"));
    } else if several {
        transaction.atomic();
    }
    for message in messages {
        let mut add = Cmd::with_capacity(7, USUAL_SIZE);
        add.arg("XADD").arg(stream).arg("*").arg("data");
        write_json(&mut add, message);
        add.arg("task_id").arg(&*message.id);
        transaction.add_command(add);
    }
    if written_out {
        transaction.add_command(cmd("EXEC"));
    }
    replicas.add_wait(&mut transaction);
    transaction
}

/// Writes a message straight into the command, without a copy in between.
pub(super) fn write_json(command: &mut Cmd, message: &TaskMessage) {
    if let Err(error) = message.write(command.writer_for_next_arg()) {
        unreachable!("writing to memory can't fail: {error}");
    }
}
