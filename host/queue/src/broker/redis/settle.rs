//! Settling deliveries: one step of the server for a whole batch, results included.
//!
//! Where results have a server of their own, or keys are spread over a Cluster, results are written
//! first, by themselves: then a result may be written although the lease was lost. The task did end
//! so; whoever has the lease now writes its own end over it.

use futures::future::try_join_all;
use redis::Cmd;

use super::RedisBroker;
use super::enqueue::write_json;
use super::lease::{bounds, steps};
use super::script::SETTLE;
use crate::{BrokerError, ResultRecord, Settle, Settled, Settlement, TaskState};

pub(super) async fn settle(
    broker: &RedisBroker,
    batch: &[Settle],
) -> Result<Vec<Settled>, BrokerError> {
    if !broker.results_in_step {
        let records: Vec<&ResultRecord> = batch
            .iter()
            .filter_map(|settle| settle.record.as_ref())
            .collect();
        broker.results.write(&records).await?;
    }
    let mut answers = vec![Settled::LeaseLost; batch.len()];
    // Sent one behind the other: queues don't wait for each other's answers.
    let calls = steps(batch.iter().map(|settle| &settle.lease))
        .into_iter()
        .map(|(first, places)| step(broker, batch, &first.queue, places));
    for (places, lost) in try_join_all(calls).await? {
        for place in &places {
            answers[*place] = Settled::Applied;
        }
        for place in lost.iter().filter_map(|lost| places.get(*lost)) {
            answers[*place] = Settled::LeaseLost;
        }
    }
    Ok(answers)
}

/// Settles the deliveries of one queue at these places. Gives back the places, and which of them had lost
/// their lease.
async fn step(
    broker: &RedisBroker,
    batch: &[Settle],
    queue: &str,
    places: Vec<usize>,
) -> Result<(Vec<usize>, Vec<usize>), BrokerError> {
    let members: Vec<&Settle> = places.iter().map(|place| &batch[*place]).collect();
    let command = command(broker, queue, &members);
    let lost = broker.connection.call(&SETTLE, &command).await?;
    Ok((places, lost))
}

/// The result of a delivery that is complete with one that nobody asked to be sent, as most are: its id and
/// its result say all.
fn result_alone<'a>(broker: &RedisBroker, settle: &'a Settle) -> Option<&'a str> {
    let record = settle.record.as_ref().filter(|record| {
        broker.results_in_step
            && !settle.lease.acknowledged
            && record.state == TaskState::Success
            && record.reply_to.is_none()
    })?;
    match settle.settlement {
        Settlement::Complete => record.body.as_deref(),
        _ => None,
    }
}

/// The command for a batch. What of it begins with nothing but results is passed in fewer words; the order
/// stays, since of two ends of one task the last one counts.
fn command(broker: &RedisBroker, queue: &str, batch: &[&Settle]) -> Cmd {
    let keys = &broker.keys;
    let mut command =
        SETTLE.command(&[&keys.stream(queue), &keys.delayed(queue), &keys.dlq(queue)]);
    let leased = || {
        batch
            .iter()
            .map(|settle| &settle.lease)
            .filter(|lease| !lease.acknowledged)
    };
    let (low, high) = bounds(leased()).unwrap_or_default();
    command
        .arg(&broker.group)
        .arg(&*batch[0].lease.consumer)
        .arg(low)
        .arg(high)
        .arg(leased().count())
        .arg(broker.results.keys().prefix())
        .arg(broker.results.ttl_seconds());
    match broker.dlq_max_length {
        Some(most) => command.arg(most),
        None => command.arg(""),
    };
    let results: Vec<&str> = batch
        .iter()
        .map_while(|settle| result_alone(broker, settle))
        .collect();
    command.arg(keys.wake(queue)).arg(results.len());
    let (alone, others) = batch.split_at(results.len());
    for (settle, result) in alone.iter().zip(results) {
        command
            .arg(&*settle.lease.entry)
            .arg(&settle.task_id)
            .arg(result);
    }
    for settle in others {
        add(&mut command, settle, broker.results_in_step);
    }
    command
}

fn add(command: &mut Cmd, settle: &Settle, with_record: bool) {
    let kind = match &settle.settlement {
        Settlement::Complete => "C",
        Settlement::Retry { .. } => "R",
        Settlement::DeadLetter { .. } => "D",
        Settlement::Release => "L",
    };
    command.arg(&*settle.lease.entry);
    if settle.lease.acknowledged {
        command.arg(kind.to_ascii_lowercase());
    } else {
        command.arg(kind);
    }
    let record = settle.record.as_ref().filter(|_| with_record);
    command
        .arg(record.map_or("", |record| record.state.name()))
        .arg(&settle.task_id)
        .arg(
            record
                .and_then(|record| record.body.as_deref())
                .unwrap_or_default(),
        )
        .arg(
            record
                .and_then(|record| record.reply_to.as_deref())
                .unwrap_or_default(),
        );
    match &settle.settlement {
        Settlement::Complete => {}
        Settlement::Retry { at, message } => {
            command.arg(at.as_seconds());
            write_json(command, message);
        }
        Settlement::DeadLetter { error, failed_at } => {
            command
                .arg(&settle.raw[..])
                .arg(failed_at.to_string())
                .arg(error)
                .arg(settle.retries)
                .arg(&settle.task_name);
        }
        Settlement::Release => {
            command.arg(&settle.raw[..]);
        }
    }
}
