//! Reading a message from its stored bytes.
//!
//! In one pass, which checks the syntax of arguments and unknown fields and keeps them as slices. Must not know what
//! they are for.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use chicory_signature::{Bounded, Given, RawJson, SharedStr, printable_up_to};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::numbers::{self, read_time};
use super::{FORMAT, MAX_STORED_BYTES, TaskMessage, UnreadableMessage};
use crate::Timestamp;

impl TaskMessage {
    /// Reads a message from its stored bytes. Arguments and unknown fields remain slices of them: only their syntax is
    /// checked.
    ///
    /// # Errors
    /// Says why the bytes are not a message.
    pub fn decode(data: &Bytes) -> Result<Self, UnreadableMessage> {
        if data.len() > MAX_STORED_BYTES {
            let size = data.len() as u64;
            return Err(UnreadableMessage::TooLarge { size });
        }
        // Protocol 2 and later start with 0x80 and the protocol's number, which no JSON does.
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
            // Some errors quote a value, which may be of any length.
            None => {
                let error = printable_up_to(&error.to_string(), SHOWN).into_owned();
                UnreadableMessage::Json(error)
            }
        })
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

/// Reads in one pass. What is kept unchanged becomes slices of the source.
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
        while let Some(key) = map.next_key_seed(Text)? {
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
            "id" => message.id = self.text(map)?,
            "name" => message.name = self.text(map)?,
            "args" => (arguments.set_args(self.raw(map)?)).map_err(de::Error::custom)?,
            "kwargs" => (arguments.set_kwargs(self.raw(map)?)).map_err(de::Error::custom)?,
            "retries" => message.retries = whole(numbers::RETRIES, map)?.unwrap_or_default(),
            "eta" => message.eta = time(numbers::ETA, map)?,
            "priority" => message.priority = whole(numbers::PRIORITY, map)?,
            "first_failure_at" => {
                message.first_failure_at = time(numbers::FIRST_FAILURE_AT, map)?;
            }
            "last_error" => message.last_error = map.next_value()?,
            "retry" => message.retry = map.next_value()?,
            "ignore_result" => {
                message.ignore_result = map.next_value::<Option<_>>()?.unwrap_or_default();
            }
            "reply_to" => message.reply_to = map.next_value()?,
            "pin" => message.pin = map.next_value()?,
            "checked_against" => message.checked_against = map.next_value()?,
            "no_canary" => message.no_canary = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "noted" => message.noted = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "format" => drop(whole::<u32, A>(numbers::FORMATS, map)?),
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

    /// A string; a slice of the source if it is written without escapes.
    fn text<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<SharedStr, A::Error> {
        Ok(match map.next_value_seed(Text)? {
            Cow::Borrowed(text) => SharedStr::within(self.source, text),
            Cow::Owned(text) => text.into(),
        })
    }

    /// A value, unchanged.
    fn raw<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<RawJson, A::Error> {
        let value = map.next_value::<&'de RawValue>()?;
        RawJson::within(self.source, value).map_err(de::Error::custom)
    }
}

/// A string that is copied only if it is written with an escape.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Maximum number of bytes of an error that are kept.
const SHOWN: usize = 1024;

/// Enough for any producer's own fields. A limit, so a hostile message stays small.
const MAX_EXTRA: usize = 256;

/// A number within its range; `None` for null.
fn whole<'de, T: TryFrom<u64>, A: MapAccess<'de>>(
    field: Bounded,
    map: &mut A,
) -> Result<Option<T>, A::Error> {
    let given = field.read_whole(&given(field, map)?);
    let Some(number) = given.map_err(de::Error::custom)? else {
        return Ok(None);
    };
    let number = T::try_from(number).map_err(|_| field.refuse(number));
    number.map(Some).map_err(de::Error::custom)
}

/// A time within its range; `None` for null.
fn time<'de, A: MapAccess<'de>>(
    field: Bounded,
    map: &mut A,
) -> Result<Option<Timestamp>, A::Error> {
    let given = given(field, map)?;
    read_time(field, &given).map_err(de::Error::custom)
}

/// The value that is given, whatever it is. To the parser, a number that no float can hold isn't even JSON.
fn given<'de, A: MapAccess<'de>>(field: Bounded, map: &mut A) -> Result<Given, A::Error> {
    let given = map.next_value();
    given.map_err(|error| de::Error::custom(format_args!("{}: {error}", field.name)))
}
