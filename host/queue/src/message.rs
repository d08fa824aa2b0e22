//! The message that a producer sends, as JSON with the fields of the Python system.
//!
//! Must not know queues or brokers. Unknown fields travel with the message, so that what a newer
//! producer adds survives retries and the dead-letter queue.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use chicory_signature::{Arguments, RawJson};
use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

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
    /// By position and by name: `args` and `kwargs` in JSON.
    pub arguments: Arguments,
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
    /// Fields this build does not know, as they came.
    pub extra: Vec<(String, RawJson)>,
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
        let args = RawJson::from(&Value::Array(args.into_iter().collect()));
        if let Err(error) = self.arguments.set_args(args) {
            unreachable!("an array is an array: {error}");
        }
        self
    }

    /// The same with one more argument by name.
    #[must_use]
    pub fn kwarg(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Err(error) = self.arguments.insert(name, &value.into()) {
            unreachable!("a value is JSON: {error}");
        }
        self
    }

    /// The same, not to start before this much time has passed.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.eta = Some(Timestamp::now().after(delay));
        self
    }

    /// Reads a message from its stored bytes. Arguments and unknown fields stay slices of them: no more than
    /// their syntax is looked at.
    ///
    /// # Errors
    /// Says why the bytes are no message.
    pub fn decode(data: &Bytes) -> Result<Self, UnreadableMessage> {
        // Protocol 2 and later start with 0x80 and the protocol's number: no JSON does.
        if let [0x80, 1..=9, ..] = data[..] {
            return Err(UnreadableMessage::Pickle);
        }
        let text = std::str::from_utf8(data)
            .map_err(|error| UnreadableMessage::Json(error.to_string()))?;
        let mut json = serde_json::Deserializer::from_str(text);
        let message = json.deserialize_map(MessageVisitor { source: data });
        let message = message.and_then(|message| json.end().map(|()| message));
        message.map_err(|error| match newer_format(text) {
            Some(format) => UnreadableMessage::Format(format),
            None => UnreadableMessage::Json(error.to_string()),
        })
    }

    /// The bytes that are stored.
    pub fn encode(&self) -> String {
        let mut text = Vec::with_capacity(USUAL_SIZE);
        let written = self.write(&mut text);
        match written.map(|()| String::from_utf8(text)) {
            Ok(Ok(text)) => text,
            _ => unreachable!("JSON is UTF-8, and there is always memory for more"),
        }
    }

    /// Writes the bytes that are stored.
    pub(crate) fn write(&self, out: impl Write) -> io::Result<()> {
        let mut fields = Fields { out, open: "{" };
        fields.add("id", &self.id)?;
        fields.add("name", &self.name)?;
        fields.raw("args", self.arguments.args())?;
        fields.raw("kwargs", self.arguments.kwargs())?;
        fields.add("retries", &self.retries)?;
        fields.add("eta", &self.eta)?;
        fields.add("priority", &self.priority)?;
        fields.add("first_failure_at", &self.first_failure_at)?;
        fields.add("last_error", &self.last_error)?;
        fields.given("retry", self.retry.as_ref())?;
        fields.given("ignore_result", self.ignore_result.then_some(&true))?;
        fields.given("reply_to", self.reply_to.as_ref())?;
        fields.given("pin", self.pin.as_ref())?;
        fields.given("checked_against", self.checked_against.as_ref())?;
        fields.given("no_canary", self.no_canary.then_some(&true))?;
        for (name, value) in &self.extra {
            fields.raw(name, value)?;
        }
        fields.out.write_all(b"}")
    }
}

/// Room for a message of the usual size, so that it is not moved while it is written.
const USUAL_SIZE: usize = 256;

/// The fields of an object, as they are written.
struct Fields<W> {
    out: W,
    /// What goes before the next one.
    open: &'static str,
}

impl<W: Write> Fields<W> {
    fn add(&mut self, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.name(name)?;
        Ok(serde_json::to_writer(&mut self.out, value)?)
    }

    fn given(&mut self, name: &str, value: Option<&impl Serialize>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.add(name, value))
    }

    fn raw(&mut self, name: &str, value: &RawJson) -> io::Result<()> {
        self.name(name)?;
        self.out.write_all(value.as_ref())
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        self.out.write_all(self.open.as_bytes())?;
        self.open = ",";
        serde_json::to_writer(&mut self.out, name)?;
        self.out.write_all(b":")
    }
}

fn newer_format(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Formatted {
        format: u64,
    }
    let read: Formatted = serde_json::from_str(text).ok()?;
    Some(read.format).filter(|format| *format > u64::from(FORMAT))
}

impl Serialize for TaskMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(self.encode()).map_err(serde::ser::Error::custom)?;
        json.serialize(serializer)
    }
}

/// Reads in one pass; what stays as it came are slices of the source.
struct MessageVisitor<'a> {
    source: &'a Bytes,
}

impl<'de> Visitor<'de> for MessageVisitor<'_> {
    type Value = TaskMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task message: an object with id, name, args, kwargs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TaskMessage, A::Error> {
        let mut message = TaskMessage::default();
        while let Some(key) = map.next_key_seed(Key)? {
            self.read_field(&mut message, &key, &mut map)?;
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

impl MessageVisitor<'_> {
    fn read_field<'de, A: MapAccess<'de>>(
        &self,
        message: &mut TaskMessage,
        key: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let arguments = &mut message.arguments;
        match key {
            "id" => message.id = map.next_value()?,
            "name" => message.name = map.next_value()?,
            "args" => (arguments.set_args(self.raw(map)?)).map_err(de::Error::custom)?,
            "kwargs" => (arguments.set_kwargs(self.raw(map)?)).map_err(de::Error::custom)?,
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
                message.extra.push((key.to_owned(), self.raw(map)?));
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

    /// A value as it came.
    fn raw<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<RawJson, A::Error> {
        let value = map.next_value::<&'de RawValue>()?;
        RawJson::within(self.source, value).map_err(de::Error::custom)
    }
}

/// A field's name; copied only where it is written with an escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
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
    use serde_json::{Map, json};

    fn decode(data: &[u8]) -> Result<TaskMessage, UnreadableMessage> {
        TaskMessage::decode(&Bytes::copy_from_slice(data))
    }

    #[test]
    fn what_came_is_written_as_it_came() {
        let text = br#"{"id":"a","name":"m.f","args":[ 1.0, 12345678901234567890123 ],"kwargs":{"a" : "\u00e9"},"trace":{"id": 98765432109876543210987}}"#;
        let written = decode(text).unwrap().encode();
        for part in [
            "[ 1.0, 12345678901234567890123 ]",
            r#"{"a" : "\u00e9"}"#,
            r#""trace":{"id": 98765432109876543210987}"#,
        ] {
            assert!(written.contains(part), "{written}");
        }
    }

    #[test]
    fn arguments_are_slices_of_what_came() {
        let data = Bytes::from(r#"{"id":"a","name":"m.f","args":[1]}"#);
        let message = TaskMessage::decode(&data).unwrap();
        let args: &[u8] = message.arguments.args().as_ref();
        assert_eq!(args.as_ptr(), data[30..].as_ptr());
    }

    #[test]
    fn a_message_written_by_hand_is_enough() {
        let message = decode(br#"{"id":"a","name":"m.f","args":[1]}"#).unwrap();
        assert_eq!(
            (
                message.id.as_str(),
                message.arguments.args().as_str(),
                message.retries
            ),
            ("a", "[1]", 0)
        );
    }

    #[test]
    fn a_pickle_is_refused_by_name() {
        let error = decode(b"\x80\x05\x95\x10\x00").unwrap_err();
        assert_eq!(error, UnreadableMessage::Pickle);
        assert!(error.to_string().starts_with("a Python pickle"));
    }

    #[test]
    fn a_newer_format_is_named_whatever_else_it_changed() {
        let error = decode(br#"{"name":{"new":1},"format":7}"#).unwrap_err();
        assert_eq!(error, UnreadableMessage::Format(7));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (data, part) in [
            (&b"{}"[..], "`id`"),
            (br#"{"id":"a"}"#, "`name`"),
            (
                br#"{"id":"a","name":"b","args":3}"#,
                "args: expected an array, got number",
            ),
            (
                br#"{"id":"a","name":"b","kwargs":[]}"#,
                "kwargs: expected an object, got array",
            ),
            (b"{\"id\":\"\xff\"}", "utf-8"),
            (b"hello", "expected value"),
            (b"", "EOF"),
            (b"[]", "a task message"),
        ] {
            let error = decode(data).unwrap_err().to_string();
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
            let _ = decode(&data);
        }

        #[test]
        fn what_is_written_is_read_again(
            id in "[a-z]{1,8}", name in ".{1,12}", retries in any::<u32>(), micros in proptest::option::of(0i64..4_000_000_000_000_000),
            priority in any::<Option<u8>>(), last_error in any::<Option<String>>(), digest in any::<Option<String>>(), ignore in any::<bool>(), arg in any::<i64>(), extra in "x-[a-z]{0,5}",
        ) {
            let message = TaskMessage {
                id, name, retries, priority, last_error,
                arguments: Arguments::new(
                    &[json!(arg), json!({"deep": [arg]})],
                    &Map::from_iter([("k".to_owned(), json!(null))]),
                ),
                eta: micros.map(Timestamp::from_micros),
                first_failure_at: micros.map(Timestamp::from_micros),
                retry: ignore.then(RetryPolicy::default),
                ignore_result: ignore,
                reply_to: digest.clone(),
                pin: digest.clone(),
                checked_against: digest,
                no_canary: ignore,
                extra: vec![(extra, RawJson::from(&json!("kept")))],
            };
            prop_assert_eq!(decode(message.encode().as_bytes()).unwrap(), message);
        }
    }
}
