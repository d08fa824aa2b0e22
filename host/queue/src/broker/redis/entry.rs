//! Stream entries as the server returns them, and the deliveries made of them.
//!
//! Must not know which command read them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chicory_signature::{SharedStr, TenantName};
use redis::{FromRedisValue, ParsingError, Value};

use super::keys::Part;
use crate::delivery::Stored;
use crate::message::MAX_ID_BYTES;
use crate::{Delivery, Lease, Payload, UnreadableMessage};

/// The id of a stream entry: milliseconds, then a number within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(u64, u64);

impl EntryId {
    /// Reads `MILLISECONDS-NUMBER`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (milliseconds, number) = text.split_once('-')?;
        Some(Self(milliseconds.parse().ok()?, number.parse().ok()?))
    }

    /// The first id after this one.
    pub(super) fn next(self) -> Self {
        match self.1.checked_add(1) {
            Some(number) => Self(self.0, number),
            None => Self(self.0.saturating_add(1), 0),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// Where the entries were found, and the consumer that receives them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient<'a> {
    pub(super) queue: &'a Arc<str>,
    pub(super) part: Part,
    pub(super) consumer: &'a Arc<str>,
    /// The queue's counter of reclaims as known before the entries were asked for.
    pub(super) reclaims: Option<u64>,
}

/// The parts of an entry that a delivery needs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SharedStr,
    /// The field `data`.
    pub(super) data: Option<Stored>,
    /// The field `task_id`, unless it is empty.
    pub(super) task_id: Option<SharedStr>,
    /// The field `tenant`. It counts in the admitted stream only, which scripts alone write.
    pub(super) tenant: TenantName,
    /// How often it has been delivered, including this time.
    pub(super) deliveries: u32,
}

impl Entry {
    /// An entry without fields that is delivered for the first time.
    pub(super) fn new(id: SharedStr) -> Self {
        Self {
            id,
            data: None,
            task_id: None,
            tenant: TenantName::default(),
            deliveries: 1,
        }
    }

    /// The delivery of it.
    pub(super) fn deliver(self, recipient: Recipient<'_>) -> Delivery {
        let (payload, raw) = match self.data {
            Some(data) => data.read(),
            None => {
                let error = UnreadableMessage::Json("the entry has no field `data`".to_owned());
                (Payload::Unreadable(error), Bytes::new())
            }
        };
        let task_id = match (self.task_id, &payload) {
            (Some(id), _) => id,
            // Chicory for Python omits it when a message becomes due.
            (None, Payload::Message(message)) => message.id.clone(),
            (None, Payload::Encoded | Payload::Unreadable(_)) => SharedStr::default(),
        };
        let noted_id = match &payload {
            Payload::Message(message) if message.noted => Some(message.id.clone()),
            _ => None,
        };
        Delivery {
            lease: Lease {
                queue: Arc::clone(recipient.queue),
                tenant: match recipient.part {
                    Part::Own => TenantName::default(),
                    Part::Admitted => self.tenant,
                },
                entry: self.id,
                consumer: Arc::clone(recipient.consumer),
                acknowledged: false,
                reclaims: recipient.reclaims,
                noted_id,
            },
            payload,
            raw,
            task_id,
            deliveries: self.deliveries,
        }
    }
}

/// As the script `reclaim` answers: entry, data, task id, deliveries, size of the data, tenant.
impl FromRedisValue for Entry {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        type Answer = (Vec<u8>, Vec<u8>, Vec<u8>, i64, i64, String);
        let (id, data, task_id, deliveries, size, tenant) = Answer::from_redis_value(value)?;
        let id = text(id.into()).ok_or("an entry's id that is not text")?;
        Ok(Self {
            id,
            // Without a field `data`, the size is negative.
            data: (u64::try_from(size).ok()).map(|size| Stored::first(data.into(), size)),
            task_id: text(task_id.into()).filter(|id| (1..=MAX_ID_BYTES).contains(&id.len())),
            tenant: tenant.parse().unwrap_or_default(),
            // Anyone who claims entries by hand can set any number.
            deliveries: u32::try_from(deliveries.max(1)).unwrap_or(u32::MAX),
        })
    }
}

/// A bulk string as text.
pub(super) fn text(bytes: Bytes) -> Option<SharedStr> {
    SharedStr::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(entry: Entry) -> Delivery {
        let (queue, consumer) = (Arc::from("q"), Arc::from("c"));
        entry.deliver(Recipient {
            queue: &queue,
            part: Part::Own,
            consumer: &consumer,
            reclaims: None,
        })
    }

    fn entry(data: Option<&'static str>, task_id: Option<&str>) -> Entry {
        Entry {
            data: data.map(|data| Stored::of(data.into())),
            task_id: task_id.map(SharedStr::from),
            ..Entry::new("1-2".into())
        }
    }

    #[test]
    fn ids_are_ordered_as_numbers() {
        assert!(EntryId::parse("99-1") < EntryId::parse("100-0"));
        assert_eq!(EntryId::parse("1"), None);
        assert_eq!(EntryId::parse("1-x"), None);
    }

    #[test]
    fn the_messages_own_id_stands_in_for_a_missing_field() {
        let delivery = deliver(entry(Some(r#"{"id":"a","name":"m.f"}"#), None));
        assert_eq!((delivery.task_id.as_str(), delivery.deliveries), ("a", 1));
    }

    #[test]
    fn what_cannot_be_read_keeps_what_there_is() {
        let delivery = deliver(entry(Some("junk"), Some("a")));
        assert_eq!(
            (&delivery.raw[..], delivery.task_id.as_str()),
            (&b"junk"[..], "a")
        );
        assert!(matches!(delivery.payload, Payload::Unreadable(_)));
        let delivery = deliver(entry(None, None));
        assert!(
            matches!(delivery.payload, Payload::Unreadable(UnreadableMessage::Json(said)) if said.contains("`data`"))
        );
    }

    #[test]
    fn a_reclaimed_entry_is_read_as_the_script_answers_it() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let answer = |data, size| {
            let (data, counts) = (bulk(data), [Value::Int(3), Value::Int(size), bulk("")]);
            let answer = [vec![bulk("1-2"), data, bulk("")], counts.to_vec()].concat();
            deliver(Entry::from_redis_value(Value::Array(answer)).expect("an answer"))
        };
        let whole = answer(r#"{"id":"a","name":"m.f"}"#, 23);
        assert_eq!((whole.message_id(), whole.deliveries), ("a", 3));
        assert!(matches!(
            answer("{", 100).payload,
            Payload::Unreadable(UnreadableMessage::TooLarge { size: 100 })
        ));
        assert!(answer("", -1).raw.is_empty());
    }
}
