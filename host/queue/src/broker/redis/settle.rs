//! Settling deliveries: one step of the server for a whole batch, results included.
//!
//! If results have a server of their own, or keys are spread over a Cluster, results are written first, in a
//! separate step. A result may then be written although the lease was lost. The task did end that way, and
//! the current holder of the lease writes its own result over it.

use futures::future::join_all;
use redis::Cmd;

use super::RedisBroker;
use super::enqueue::{write_due_in, write_json};
use super::lease::{MAX_STEP, bounds, steps, stream, unreachable};
use super::plain_results::is_large;
use super::script::SETTLE;
use crate::{BrokerError, Lease, ResultRecord, SettleRequest, Settled, Settlement, TaskState};

/// Deliveries of one queue, one tenant and one consumer, and their places in the batch.
struct Section<'a> {
    lease: &'a Lease,
    places: Vec<usize>,
    members: Vec<&'a SettleRequest<'a>>,
    /// Whether it is a single delivery whose settlement gives the script a large value.
    bulky: bool,
}

/// The script's answer: which of the call's deliveries had lost their leases, each section's counter of reclaims,
/// whether a hint was refused, and whether the result that was written ahead is gone.
type Answer = (Vec<usize>, Vec<Option<u64>>, bool, bool);

pub(super) async fn settle(
    broker: &RedisBroker,
    batch: &[SettleRequest<'_>],
) -> Result<Vec<Settled>, BrokerError> {
    let mut answers = vec![Settled::LeaseLost; batch.len()];
    if !broker.results_in_step {
        write_results(broker, batch, &mut answers).await?;
    }
    // None waits for another's answer, which may be due from a node that does not answer.
    let calls = calls(broker, sections(batch, &answers))
        .into_iter()
        .map(|sections| step(broker, sections));
    for (places, lost) in join_all(calls).await {
        let lost = match lost {
            Some(Ok(lost)) => lost,
            None => {
                unreachable(&mut answers, &places);
                continue;
            }
            Some(Err(error)) if broker.is_partial(&error) => {
                unreachable(&mut answers, &places);
                continue;
            }
            Some(Err(error)) => return Err(error),
        };
        for place in &places {
            answers[*place] = Settled::Applied;
        }
        for place in lost.iter().filter_map(|lost| places.get(*lost)) {
            answers[*place] = Settled::LeaseLost;
        }
    }
    Ok(answers)
}

/// Writes the results of a batch. A delivery whose result can't be written now is answered as unreachable.
async fn write_results(
    broker: &RedisBroker,
    batch: &[SettleRequest<'_>],
    answers: &mut [Settled],
) -> Result<(), BrokerError> {
    let records = || {
        let records = batch
            .iter()
            .map(|settle| settle.record.as_ref())
            .enumerate();
        records.filter_map(|(place, record)| Some((place, record?)))
    };
    let all: Vec<&ResultRecord<'_>> = records().map(|(_, record)| record).collect();
    let written = broker.results.write_each(&all).await?;
    for ((place, _), written) in records().zip(written) {
        if !written {
            answers[place] = Settled::Unreachable;
        }
    }
    Ok(())
}

/// What can be settled now.
fn sections<'a>(
    batch: &'a [SettleRequest<'_>],
    answers: &[Settled],
) -> impl Iterator<Item = Section<'a>> {
    let section = |lease, places: Vec<usize>, bulky| Section {
        lease,
        members: places.iter().map(|place| &batch[*place]).collect(),
        places,
        bulky,
    };
    let mut bulky = Vec::new();
    let steps = steps(batch.iter().map(|settle| &*settle.lease));
    let mut sections: Vec<Section<'a>> = Vec::with_capacity(steps.len());
    for (lease, mut places) in steps {
        places.retain(|place| answers[*place] != Settled::Unreachable);
        places.retain(|place| {
            let is_bulky = batch[*place].is_large();
            if is_bulky {
                bulky.push(section(lease, vec![*place], true));
            }
            !is_bulky
        });
        if !places.is_empty() {
            sections.push(section(lease, places, false));
        }
    }
    sections.into_iter().chain(bulky)
}

/// Groups sections into calls of the script: as many as make a step, or one each on a Cluster, where queues
/// may be on different servers. A large settlement has a step of its own, so others are served in between.
fn calls<'a>(
    broker: &RedisBroker,
    sections: impl Iterator<Item = Section<'a>>,
) -> Vec<Vec<Section<'a>>> {
    let together = broker.connection.server().topology().keys_are_together();
    let mut calls: Vec<Vec<Section<'_>>> = Vec::new();
    let mut length = 0;
    for section in sections {
        length += section.members.len();
        match calls.last_mut() {
            Some(call) if together && length <= MAX_STEP && !section.bulky => call.push(section),
            _ => {
                length = section.members.len();
                calls.push(vec![section]);
            }
        }
    }
    calls
}

/// Settles the deliveries of these sections. Returns their positions and which of them had lost their leases, or
/// `None` if the server that has them does not answer.
async fn step(
    broker: &RedisBroker,
    sections: Vec<Section<'_>>,
) -> (Vec<usize>, Option<Result<Vec<usize>, BrokerError>>) {
    let places = sections.iter().flat_map(|section| section.places.clone());
    let places = places.collect();
    let stream = stream(broker, sections[0].lease);
    let step = send(broker, &sections);
    (
        places,
        broker.connection.unless_troubled(&stream, step).await,
    )
}

async fn send(broker: &RedisBroker, sections: &[Section<'_>]) -> Result<Vec<usize>, BrokerError> {
    // A call with something large has nothing else.
    let (first, bulky) = (&sections[0].members[0], sections[0].bulky);
    let large = record(broker, first).filter(|record| bulky && is_large(record));
    let body = large.and_then(|record| record.body.as_deref());
    let mut ahead = match body {
        Some(body) => broker.results.write_ahead(body).await?,
        None => None,
    };
    let way = if bulky {
        &broker.bulk
    } else {
        &broker.connection
    };
    let (lost, reclaims) = loop {
        let command = command(broker, sections, ahead.as_deref());
        let (answer, confirmed): (Answer, _) = broker.replicas.call(way, &SETTLE, &command).await?;
        let (lost, reclaims, refused, gone) = answer;
        if gone {
            // The server had no room for it or was away for too long, so it is sent along.
            ahead = None;
            continue;
        }
        broker.connection.server().hints().note(refused);
        broker.note_replicas(&confirmed);
        break (lost, reclaims);
    };
    for (section, reclaims) in sections.iter().zip(reclaims) {
        if let Some(count) = reclaims {
            broker.reclaims.note(&section.lease.queue, count);
        }
    }
    if let (Some(record), Some(_), true) = (large, ahead, lost.is_empty()) {
        broker.results.tell(record).await;
    }
    Ok(lost)
}

/// The result of a delivery in the short form of the script: complete, with a result that goes to no inbox.
fn result_alone<'a>(broker: &RedisBroker, settle: &'a SettleRequest<'_>) -> Option<&'a str> {
    let record = record(broker, settle).filter(|record| {
        !settle.lease.acknowledged
            && settle.lease.noted_id.is_none()
            && record.state == TaskState::Success
            && record.reply_to.is_none()
            && !is_large(record)
    })?;
    match &*settle.settlement {
        Settlement::Complete => record.body.as_deref(),
        _ => None,
    }
}

/// The script's call. The result of the only delivery may have been written ahead, under this key.
fn command(broker: &RedisBroker, sections: &[Section<'_>], ahead: Option<&str>) -> Cmd {
    let members = || sections.iter().flat_map(|section| &section.members);
    let records = members().filter(|settle| record(broker, settle).is_some());
    let dead = members().filter(|settle| is_dead(settle));
    let noted = members().filter(|settle| ending_id(settle).is_some());
    let keys = 4 * sections.len() + 2 * records.count() + dead.count() + noted.count();
    let mut command = SETTLE.command_on(keys + usize::from(ahead.is_some()));
    for section in sections {
        let queue = &section.lease.queue;
        let own = broker.root.of(&section.lease.tenant);
        command
            .arg(stream(broker, section.lease))
            .arg(own.delayed(queue))
            .arg(own.dlq(queue))
            .arg(broker.root.reclaims(queue));
    }
    for settle in members() {
        if let Some(record) = record(broker, settle) {
            broker.results.add_keys(&mut command, record);
        }
        let own = || broker.root.of(&settle.lease.tenant);
        if is_dead(settle) {
            command.arg(own().dead_index(&settle.lease.queue));
        }
        if ending_id(settle).is_some() {
            command.arg(own().ids(&settle.lease.queue));
        }
    }
    command.arg(ahead).arg(&broker.group);
    match broker.dlq_max_length {
        Some(most) => command.arg(most),
        None => command.arg(""),
    };
    command.arg(sections.len());
    broker.results.add_terms(&mut command);
    command.arg(if ahead.is_some() { "1" } else { "" });
    for section in sections {
        add_section(&mut command, broker, section, ahead.is_some());
    }
    command
}

/// The result to write in the same step, if results are where the queue is.
fn record<'a>(broker: &RedisBroker, settle: &'a SettleRequest<'_>) -> Option<&'a ResultRecord<'a>> {
    settle.record.as_ref().filter(|_| broker.results_in_step)
}

fn is_dead(settle: &SettleRequest<'_>) -> bool {
    matches!(&*settle.settlement, Settlement::DeadLetter { .. })
}

/// The noted id of a message that ends.
fn ending_id<'a>(settle: &'a SettleRequest<'_>) -> Option<&'a str> {
    let ends = matches!(
        &*settle.settlement,
        Settlement::Complete | Settlement::DeadLetter { .. }
    );
    settle.lease.noted_id.as_deref().filter(|_| ends)
}

/// The leading deliveries of a section that have a short form are passed in it. The order is kept: if a task ended
/// twice, the last result counts.
fn add_section(command: &mut Cmd, broker: &RedisBroker, section: &Section<'_>, is_ahead: bool) {
    let every_lease = || section.members.iter().map(|settle| &*settle.lease);
    let leased = || every_lease().filter(|lease| !lease.acknowledged);
    let (low, high) = bounds(leased()).unwrap_or_default();
    let known = section.lease.reclaims;
    command.arg(&*section.lease.consumer);
    match known.filter(|_| every_lease().all(|lease| lease.reclaims == known)) {
        Some(count) => command.arg(count),
        None => command.arg(""),
    };
    let results: Vec<&str> = section
        .members
        .iter()
        .map_while(|settle| result_alone(broker, settle))
        .collect();
    let (alone, others) = section.members.split_at(results.len());
    command
        .arg(low)
        .arg(high)
        .arg(leased().count())
        .arg(broker.root.wake(&section.lease.queue))
        .arg(alone.len())
        .arg(others.len());
    let (tenant, queue) = (&section.lease.tenant, &section.lease.queue);
    command.arg(tenant.given().unwrap_or_default());
    if !tenant.is_default() {
        command
            .arg(broker.root.due(queue))
            .arg(broker.root.slots(queue));
    }
    for (settle, result) in alone.iter().zip(results) {
        command.arg(&*settle.lease.entry).arg(result);
    }
    for settle in others {
        add(command, broker, settle, is_ahead);
    }
}

/// Adds a delivery in the long form, without its result if that was written ahead.
fn add(command: &mut Cmd, broker: &RedisBroker, settle: &SettleRequest<'_>, is_ahead: bool) {
    let kind = match &*settle.settlement {
        Settlement::Complete => "C",
        Settlement::Retry { .. } => "R",
        Settlement::DeadLetter { .. } => "D",
        Settlement::Release => "L",
    };
    let mut kind = if settle.lease.acknowledged {
        kind.to_ascii_lowercase()
    } else {
        kind.to_owned()
    };
    if ending_id(settle).is_some() {
        kind.push('n');
    }
    command.arg(&*settle.lease.entry).arg(kind);
    match record(broker, settle) {
        Some(record) if is_ahead => {
            command.arg(record.state.name()).arg("").arg("");
        }
        Some(record) => broker.results.add(command, record),
        None => {
            command.arg("").arg("").arg("");
        }
    }
    match &*settle.settlement {
        Settlement::Complete => {}
        Settlement::Retry { at, message } => {
            // By the server's clock; the worker's may differ.
            write_due_in(command, broker, at.since(broker.clock.now()));
            write_json(command, message);
        }
        Settlement::DeadLetter { error, failed_at } => {
            command
                .arg(&settle.raw[..])
                .arg(failed_at.to_string())
                .arg(error)
                .arg(settle.retries)
                .arg(&*settle.task_id)
                .arg(&*settle.task_name);
        }
        Settlement::Release => {
            command.arg(&settle.raw[..]).arg(&*settle.task_id);
        }
    }
    if let Some(id) = ending_id(settle) {
        command.arg(id);
    }
}
