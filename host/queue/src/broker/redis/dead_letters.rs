//! Reading dead letters: lists them, or finds one by its own id or its task's.
//!
//! Must not change any.

use std::collections::HashMap;

use bytes::Bytes;
use redis::{Cmd, cmd};

use super::RedisBroker;
use super::entry::EntryId;
use crate::{BrokerError, DeadLetter, DeadLetterRange, TaskMessage};

/// A dead letter with its stored bytes.
pub(super) struct Found {
    pub(super) letter: DeadLetter,
    pub(super) data: Bytes,
}

/// A range of the dead letters.
pub(super) async fn list(
    broker: &RedisBroker,
    queue: &str,
    range: &DeadLetterRange,
) -> Result<Vec<DeadLetter>, BrokerError> {
    let found = page(broker, queue, range).await?;
    Ok(found.into_iter().map(|found| found.letter).collect())
}

/// The dead letter with this id, its own or its task's (then the newest).
pub(super) async fn find(
    broker: &RedisBroker,
    queue: &str,
    id: &str,
) -> Result<Option<Found>, BrokerError> {
    if EntryId::parse(id).is_some() {
        let found = entry(broker, queue, id).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    match indexed(broker, queue, id).await? {
        Some(found) => Ok(Some(found)),
        None => search(broker, queue, id).await,
    }
}

/// The dead letter whose own id this is.
async fn entry(broker: &RedisBroker, queue: &str, id: &str) -> Result<Option<Found>, BrokerError> {
    let mut command = cmd("XRANGE");
    command.arg(broker.keys.dlq(queue)).arg(id).arg(id);
    Ok(range(broker, &command).await?.into_iter().next())
}

/// The dead letter that the index names for a task.
async fn indexed(
    broker: &RedisBroker,
    queue: &str,
    task: &str,
) -> Result<Option<Found>, BrokerError> {
    let mut command = cmd("HGET");
    command.arg(broker.keys.dead_index(queue)).arg(task);
    let Some(id) = broker.connection.ask::<Option<String>>(&command).await? else {
        return Ok(None);
    };
    let found = entry(broker, queue, &id).await?;
    Ok(found.filter(|found| found.letter.task_id == task))
}

/// Looks through all: another system may have added it, or the index names another one of the same task.
async fn search(
    broker: &RedisBroker,
    queue: &str,
    task: &str,
) -> Result<Option<Found>, BrokerError> {
    let mut range = DeadLetterRange {
        count: broker.listed_size.page(),
        after: None,
        newest_first: true,
    };
    loop {
        let page = page(broker, queue, &range).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        range.after = Some(last.letter.id.clone());
        range.count = broker.listed_size.page();
        if let Some(found) = page.into_iter().find(|found| found.letter.task_id == task) {
            return Ok(Some(found));
        }
    }
}

async fn page(
    broker: &RedisBroker,
    queue: &str,
    wanted: &DeadLetterRange,
) -> Result<Vec<Found>, BrokerError> {
    if wanted.count == 0 {
        return Ok(Vec::new());
    }
    let (verb, first, last) = if wanted.newest_first {
        ("XREVRANGE", "+", "-")
    } else {
        ("XRANGE", "-", "+")
    };
    let start = match &wanted.after {
        None => first.to_owned(),
        Some(after) if EntryId::parse(after).is_some() => format!("({after}"),
        Some(after) => {
            return Err(BrokerError::Invalid(format!(
                "{after:?} is not the id of a dead letter: give one that the list shows, such as 1700000000000-0"
            )));
        }
    };
    let mut command = cmd(verb);
    command
        .arg(broker.keys.dlq(queue))
        .arg(start)
        .arg(last)
        .arg("COUNT")
        .arg(wanted.count);
    range(broker, &command).await
}

async fn range(broker: &RedisBroker, command: &Cmd) -> Result<Vec<Found>, BrokerError> {
    let entries: Vec<(String, HashMap<String, Vec<u8>>)> = broker.connection.ask(command).await?;
    let sizes = entries.iter().filter_map(|(_, fields)| fields.get("data"));
    (broker.listed_size).note(sizes.map(Vec::len).max().unwrap_or_default());
    Ok(entries
        .into_iter()
        .map(|(id, fields)| found(id, fields))
        .collect())
}

fn found(id: String, mut fields: HashMap<String, Vec<u8>>) -> Found {
    let mut text = |name: &str| {
        let bytes = fields.remove(name).unwrap_or_default();
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    };
    let mut letter = DeadLetter {
        id,
        original_message: None,
        data: String::new(),
        failed_at: text("failed_at"),
        error: text("error"),
        retry_count: text("retry_count").parse().unwrap_or(0),
        original_stream_id: text("original_stream_id"),
        task_id: text("task_id"),
        task_name: text("task_name"),
    };
    let data = Bytes::from(fields.remove("data").unwrap_or_default());
    letter.data = String::from_utf8_lossy(&data).into_owned();
    letter.original_message = TaskMessage::decode(&data).ok();
    if let Some(message) = &letter.original_message {
        // A dead letter written by another system may lack these; the message has them.
        if letter.task_id.is_empty() {
            letter.task_id = message.id.to_string();
        }
        if letter.task_name.is_empty() {
            letter.task_name = message.name.to_string();
        }
    }
    Found { letter, data }
}
