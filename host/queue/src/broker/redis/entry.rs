//! Stream entries as the server answers them, and the deliveries they become.
//!
//! Must not know which command read them.

use std::sync::Arc;

use bytes::Bytes;
use redis::Value;

use crate::{Delivery, Lease, Payload, TaskMessage, UnreadableMessage};

/// The id of a stream entry: milliseconds, then a number within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(u64, u64);

impl EntryId {
    /// Reads `MILLISECONDS-NUMBER`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (milliseconds, number) = text.split_once('-')?;
        Some(Self(milliseconds.parse().ok()?, number.parse().ok()?))
    }
}

/// The queue of the entries, and the consumer that receives them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient<'a> {
    pub(super) queue: &'a Arc<str>,
    pub(super) consumer: &'a Arc<str>,
    /// The queue's reclaims known before the entries were asked for.
    pub(super) reclaims: Option<u64>,
}

/// An entry's fields that matter to a delivery.
#[derive(Debug, Default)]
struct Fields {
    data: Option<Vec<u8>>,
    task_id: Option<String>,
}

/// The delivery of an entry `[id, fields, deliveries]`; `deliveries` is 1 where it is left out. None
/// for an entry whose message is gone.
pub(super) fn delivery(entry: Value, recipient: Recipient<'_>) -> Option<Delivery> {
    let mut parts = array(entry)?.into_iter();
    let id = text(parts.next()?)?;
    let fields = fields(parts.next()?)?;
    let deliveries = match parts.next() {
        Some(Value::Int(count)) => u32::try_from(count).unwrap_or(u32::MAX),
        _ => 1,
    };
    let lease = Lease {
        queue: Arc::clone(recipient.queue),
        entry: id.into(),
        consumer: Arc::clone(recipient.consumer),
        acknowledged: false,
        reclaims: recipient.reclaims,
    };
    Some(read(fields, lease, deliveries))
}

fn read(fields: Fields, lease: Lease, deliveries: u32) -> Delivery {
    let raw = fields.data.map(Bytes::from);
    let payload = match &raw {
        Some(data) => TaskMessage::decode(data),
        None => Err(UnreadableMessage::Json(
            "the entry has no field `data`".to_owned(),
        )),
    };
    let payload = match payload {
        Ok(message) => Payload::Message(message),
        Err(error) => Payload::Unreadable(error),
    };
    let task_id = match (fields.task_id, &payload) {
        (Some(id), _) => id,
        // Chicory for Python leaves it out when a message becomes due.
        (None, Payload::Message(message)) => message.id.to_string(),
        (None, Payload::Unreadable(_)) => String::new(),
    };
    Delivery {
        lease,
        payload,
        raw: raw.unwrap_or_default(),
        task_id,
        deliveries,
    }
}

fn fields(value: Value) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut parts = array(value)?.into_iter();
    while let (Some(Value::BulkString(name)), Some(value)) = (parts.next(), parts.next()) {
        match (name.as_slice(), value) {
            (b"data", Value::BulkString(data)) => fields.data = Some(data),
            (b"task_id", id) => fields.task_id = text(id).filter(|id| !id.is_empty()),
            _ => {}
        }
    }
    Some(fields)
}

/// The items of an array; none for anything else.
pub(super) fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// A bulk string as text.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn deliver(fields: &[&str]) -> Delivery {
        let fields = Value::Array(fields.iter().map(|field| bulk(field)).collect());
        let entry = Value::Array(vec![bulk("1-2"), fields]);
        let (queue, consumer) = (Arc::from("q"), Arc::from("c"));
        delivery(
            entry,
            Recipient {
                queue: &queue,
                consumer: &consumer,
                reclaims: None,
            },
        )
        .expect("a delivery")
    }

    #[test]
    fn ids_are_ordered_as_numbers() {
        assert!(EntryId::parse("99-1") < EntryId::parse("100-0"));
        assert_eq!(EntryId::parse("1"), None);
        assert_eq!(EntryId::parse("1-x"), None);
    }

    #[test]
    fn the_messages_own_id_stands_in_for_a_missing_field() {
        let delivery = deliver(&["data", r#"{"id":"a","name":"m.f"}"#]);
        assert_eq!((delivery.task_id.as_str(), delivery.deliveries), ("a", 1));
    }

    #[test]
    fn what_cannot_be_read_keeps_what_there_is() {
        let delivery = deliver(&["data", "junk", "task_id", "a"]);
        assert_eq!(
            (&delivery.raw[..], delivery.task_id.as_str()),
            (&b"junk"[..], "a")
        );
        assert!(matches!(delivery.payload, Payload::Unreadable(_)));
        let delivery = deliver(&["other", "x"]);
        assert!(
            matches!(delivery.payload, Payload::Unreadable(UnreadableMessage::Json(said)) if said.contains("`data`"))
        );
    }

    #[test]
    fn an_entry_whose_message_is_gone_is_no_delivery() {
        let entry = Value::Array(vec![bulk("1-2"), Value::Nil]);
        let (queue, consumer) = (Arc::from("q"), Arc::from("c"));
        assert!(
            delivery(
                entry,
                Recipient {
                    queue: &queue,
                    consumer: &consumer,
                    reclaims: None,
                }
            )
            .is_none()
        );
    }
}
