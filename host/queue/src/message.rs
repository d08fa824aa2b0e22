//! The message that a producer sends, as JSON with the fields of the Python system.
//!
//! Must not know queues or brokers. Unknown fields travel with the message, so that what a newer
//! producer adds survives retries and the dead-letter queue.

use std::fmt;
use std::time::Duration;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{RetryPolicy, Timestamp, new_id};

/// The newest wire format that this build reads. A message without the field has format 1.
pub const FORMAT: u32 = 1;

/// A request to run a task once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskMessage {
    /// Unique among all messages; the key of its result.
    pub id: String,
    /// `module.function` or `module.interface.function`.
    pub name: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Map<String, Value>,
    /// Retries so far; the attempt at hand is one more.
    pub retries: u32,
    /// Not to start before this time.
    pub eta: Option<Timestamp>,
    /// Kept for brokers that order by it; streams don't.
    pub priority: Option<u8>,
    /// When the first attempt failed.
    pub first_failure_at: Option<Timestamp>,
    /// How the last attempt failed.
    pub last_error: Option<String>,
    /// A retry policy that goes before the task's.
    pub retry: Option<RetryPolicy>,
    /// Whether no state and no result are to be kept.
    pub ignore_result: bool,
    /// The inbox of the process that waits for its end; the worker sends the result there.
    pub reply_to: Option<String>,
    /// The digest of the module's version that it must run on.
    pub pin: Option<String>,
    /// The digest of the version whose signature its arguments were checked against.
    pub checked_against: Option<String>,
    /// Whether it failed on a canary, and is not to meet one again.
    pub no_canary: bool,
    /// Fields this build does not know.
    pub extra: Map<String, Value>,
}

/// Why stored bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableMessage {
    /// The Python system's default encoding, which can run code when it is read.
    #[error("a Python pickle, which is refused because reading one can run code; send JSON")]
    Pickle,
    /// A format of the future.
    #[error(
        "format {0} is newer than this worker reads ({FORMAT}); upgrade the worker, then replay"
    )]
    Format(u64),
    /// Not JSON, or not of a message's shape.
    #[error("not a task message: {0}")]
    Json(String),
}

impl TaskMessage {
    /// A message for the task `name`, with a fresh id and nothing else set.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: new_id(),
            name: name.into(),
            ..Self::default()
        }
    }

    /// The same with these arguments by position.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = Value>) -> Self {
        self.args = args.into_iter().collect();
        self
    }

    /// The same with one more argument by name.
    #[must_use]
    pub fn kwarg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.kwargs.insert(name.to_owned(), value.into());
        self
    }

    /// The same, not to start before this much time has passed.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.eta = Some(Timestamp::now().after(delay));
        self
    }

    /// Reads a message from its stored bytes.
    pub fn decode(data: &[u8]) -> Result<Self, UnreadableMessage> {
        // Protocol 2 and later start with 0x80 and the protocol's number: no JSON does.
        if let [0x80, 1..=9, ..] = data {
            return Err(UnreadableMessage::Pickle);
        }
        serde_json::from_slice(data).map_err(|error| match newer_format(data) {
            Some(format) => UnreadableMessage::Format(format),
            None => UnreadableMessage::Json(error.to_string()),
        })
    }

    /// The bytes that are stored.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            unreachable!("a message holds JSON values and text only: {error}")
        })
    }
}

fn newer_format(data: &[u8]) -> Option<u64> {
    let value: Value = serde_json::from_slice(data).ok()?;
    value
        .get("format")?
        .as_u64()
        .filter(|format| *format > u64::from(FORMAT))
}

impl Serialize for TaskMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("args", &self.args)?;
        map.serialize_entry("kwargs", &self.kwargs)?;
        map.serialize_entry("retries", &self.retries)?;
        map.serialize_entry("eta", &self.eta)?;
        map.serialize_entry("priority", &self.priority)?;
        map.serialize_entry("first_failure_at", &self.first_failure_at)?;
        map.serialize_entry("last_error", &self.last_error)?;
        if let Some(retry) = &self.retry {
            map.serialize_entry("retry", retry)?;
        }
        if self.ignore_result {
            map.serialize_entry("ignore_result", &true)?;
        }
        if let Some(inbox) = &self.reply_to {
            map.serialize_entry("reply_to", inbox)?;
        }
        if let Some(pin) = &self.pin {
            map.serialize_entry("pin", pin)?;
        }
        if let Some(checked) = &self.checked_against {
            map.serialize_entry("checked_against", checked)?;
        }
        if self.no_canary {
            map.serialize_entry("no_canary", &true)?;
        }
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for TaskMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

/// Reads in one pass: derived `flatten` would buffer each message twice, on every task's path.
struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = TaskMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task message: an object with id, name, args, kwargs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TaskMessage, A::Error> {
        let mut message = TaskMessage::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            read_field(&mut message, &key, &mut map)?;
        }
        for (field, value) in [("id", &message.id), ("name", &message.name)] {
            if value.is_empty() {
                return Err(de::Error::custom(format!(
                    "the field `{field}` is missing or empty"
                )));
            }
        }
        Ok(message)
    }
}

fn read_field<'de, A: MapAccess<'de>>(
    message: &mut TaskMessage,
    key: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    match key {
        "id" => message.id = map.next_value()?,
        "name" => message.name = map.next_value()?,
        "args" => message.args = map.next_value::<Option<_>>()?.unwrap_or_default(),
        "kwargs" => message.kwargs = map.next_value::<Option<_>>()?.unwrap_or_default(),
        "retries" => message.retries = map.next_value::<Option<_>>()?.unwrap_or_default(),
        "eta" => message.eta = map.next_value()?,
        "priority" => message.priority = map.next_value()?,
        "first_failure_at" => message.first_failure_at = map.next_value()?,
        "last_error" => message.last_error = map.next_value()?,
        "retry" => message.retry = map.next_value()?,
        "ignore_result" => {
            message.ignore_result = map.next_value::<Option<_>>()?.unwrap_or_default();
        }
        "reply_to" => message.reply_to = map.next_value()?,
        "pin" => message.pin = map.next_value()?,
        "checked_against" => message.checked_against = map.next_value()?,
        "no_canary" => message.no_canary = map.next_value::<Option<_>>()?.unwrap_or_default(),
        "format" => check_format(map.next_value()?)?,
        _ if message.extra.len() < MAX_EXTRA => {
            message.extra.insert(key.to_owned(), map.next_value()?);
        }
        _ => {
            map.next_value::<IgnoredAny>()?;
            return Err(de::Error::custom(format!(
                "more than {MAX_EXTRA} unknown fields"
            )));
        }
    }
    Ok(())
}

/// Enough for any producer's own fields; a bound, so that a hostile message stays small.
const MAX_EXTRA: usize = 256;

fn check_format<E: de::Error>(format: Option<u32>) -> Result<(), E> {
    match format {
        Some(format) if format > FORMAT => Err(E::custom(format!("format {format}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_message_written_by_hand_is_enough() {
        let message = TaskMessage::decode(br#"{"id":"a","name":"m.f","args":[1]}"#).unwrap();
        assert_eq!(
            (message.id.as_str(), message.args.len(), message.retries),
            ("a", 1, 0)
        );
    }

    #[test]
    fn a_pickle_is_refused_by_name() {
        let error = TaskMessage::decode(b"\x80\x05\x95\x10\x00").unwrap_err();
        assert_eq!(error, UnreadableMessage::Pickle);
        assert!(error.to_string().starts_with("a Python pickle"));
    }

    #[test]
    fn a_newer_format_is_named_whatever_else_it_changed() {
        let error = TaskMessage::decode(br#"{"name":{"new":1},"format":7}"#).unwrap_err();
        assert_eq!(error, UnreadableMessage::Format(7));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (data, part) in [
            (&b"{}"[..], "`id`"),
            (br#"{"id":"a"}"#, "`name`"),
            (br#"{"id":"a","name":"b","args":3}"#, "sequence"),
            (b"hello", "expected value"),
            (b"", "EOF"),
            (b"[]", "a task message"),
        ] {
            let error = TaskMessage::decode(data).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_seeds_fields_are_always_written() {
        let text = TaskMessage::new("m.f").encode();
        for field in [
            "id",
            "name",
            "args",
            "kwargs",
            "retries",
            "eta",
            "priority",
            "first_failure_at",
            "last_error",
        ] {
            assert!(text.contains(&format!("\"{field}\":")), "{field} in {text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_never_panics(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TaskMessage::decode(&data);
        }

        #[test]
        fn what_is_written_is_read_again(
            id in "[a-z]{1,8}", name in ".{1,12}", retries in any::<u32>(), micros in proptest::option::of(0i64..4_000_000_000_000_000),
            priority in any::<Option<u8>>(), last_error in any::<Option<String>>(), digest in any::<Option<String>>(), ignore in any::<bool>(), arg in any::<i64>(), extra in "x-[a-z]{0,5}",
        ) {
            let message = TaskMessage {
                id, name, retries, priority, last_error,
                args: vec![json!(arg), json!({"deep": [arg]})],
                kwargs: Map::from_iter([("k".to_owned(), json!(null))]),
                eta: micros.map(Timestamp::from_micros),
                first_failure_at: micros.map(Timestamp::from_micros),
                retry: ignore.then(RetryPolicy::default),
                ignore_result: ignore,
                reply_to: digest.clone(),
                pin: digest.clone(),
                checked_against: digest,
                no_canary: ignore,
                extra: Map::from_iter([(extra, json!("kept"))]),
            };
            prop_assert_eq!(TaskMessage::decode(message.encode().as_bytes()).unwrap(), message);
        }
    }
}
