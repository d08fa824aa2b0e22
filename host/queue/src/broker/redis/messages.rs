//! Reading all messages of a queue, page by page.
//!
//! Must not change any, nor keep the server busy for long.

mod waiting;

use std::collections::HashMap;

use redis::cmd;

use super::RedisBroker;
use super::dead_letters;
use crate::{BrokerError, DeadLetterRange, ScanCursor, ScanPage, ScanPart, TaskMessage};

pub(super) async fn scan(
    broker: &RedisBroker,
    queue: &str,
    cursor: ScanCursor,
) -> Result<ScanPage, BrokerError> {
    match cursor.part {
        ScanPart::Stream | ScanPart::Tail if !broker.tenant.is_default() => {
            waiting::scan(broker, queue, cursor).await
        }
        ScanPart::Stream | ScanPart::Tail => stream(broker, queue, cursor).await,
        ScanPart::Delayed => delayed(broker, queue, cursor).await,
        ScanPart::Dead => dead(broker, queue, cursor).await,
    }
}

async fn stream(
    broker: &RedisBroker,
    queue: &str,
    cursor: ScanCursor,
) -> Result<ScanPage, BrokerError> {
    let start = match cursor.after.as_str() {
        "" => "-".to_owned(),
        after => format!("({after}"),
    };
    let mut command = cmd("XRANGE");
    command.arg(broker.keys.stream(queue)).arg(start).arg("+");
    command.arg("COUNT").arg(broker.listed_size.page());
    let entries: Vec<(String, HashMap<String, Vec<u8>>)> = broker.connection.ask(&command).await?;
    let last = entries.last().map(|(id, _)| id.clone());
    let data = entries
        .into_iter()
        .filter_map(|(_, mut fields)| fields.remove("data"));
    Ok(ScanPage {
        messages: readable(broker, data),
        next: match last {
            Some(last) => Some(cursor.on(last)),
            None => cursor.over(),
        },
    })
}

/// By ZSCAN: what is there from the first page to the last is in one of them, whatever else changes.
async fn delayed(
    broker: &RedisBroker,
    queue: &str,
    cursor: ScanCursor,
) -> Result<ScanPage, BrokerError> {
    let position = match cursor.after.as_str() {
        "" => "0",
        position => position,
    };
    let mut command = cmd("ZSCAN");
    command.arg(broker.keys.delayed(queue)).arg(position);
    command.arg("COUNT").arg(broker.listed_size.page());
    let (position, members): (String, Vec<(Vec<u8>, f64)>) =
        broker.connection.ask(&command).await?;
    Ok(ScanPage {
        messages: readable(broker, members.into_iter().map(|(data, _)| data)),
        next: match position.as_str() {
            "0" => cursor.over(),
            _ => Some(cursor.on(position)),
        },
    })
}

async fn dead(
    broker: &RedisBroker,
    queue: &str,
    cursor: ScanCursor,
) -> Result<ScanPage, BrokerError> {
    let after = Some(cursor.after.as_str()).filter(|after| !after.is_empty());
    let range = DeadLetterRange {
        count: broker.listed_size.page(),
        after: after.map(str::to_owned),
        newest_first: false,
    };
    let letters = dead_letters::list(broker, queue, &range).await?;
    let last = letters.last().map(|letter| letter.id.clone());
    Ok(ScanPage {
        messages: letters
            .into_iter()
            .filter_map(|letter| letter.original_message)
            .collect(),
        next: match last {
            Some(last) => Some(cursor.on(last)),
            None => cursor.over(),
        },
    })
}

/// The readable ones. Notes how large they are.
fn readable(broker: &RedisBroker, stored: impl Iterator<Item = Vec<u8>>) -> Vec<TaskMessage> {
    let mut largest = 0;
    let messages = stored.filter_map(|data| {
        largest = largest.max(data.len());
        TaskMessage::decode(&data.into()).ok()
    });
    let messages = messages.collect();
    broker.listed_size.note(largest);
    messages
}
