//! Writing a message as the bytes that are stored.
//!
//! Must not know where they go.

use std::io::{self, Write};

use chicory_signature::RawJson;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{MAX_MESSAGE_BYTES, TaskMessage};
use crate::BrokerError;

impl TaskMessage {
    /// The bytes that are stored.
    pub fn encode(&self) -> String {
        let mut text = Vec::with_capacity(USUAL_SIZE);
        let written = self.write(&mut text);
        match written.map(|()| String::from_utf8(text)) {
            Ok(Ok(text)) => text,
            _ => unreachable!("JSON is UTF-8, and writing to memory can't fail"),
        }
    }

    /// Checks that it is no larger than a message may be.
    pub(crate) fn check_size(&self) -> Result<(), BrokerError> {
        if self.most_bytes() <= MAX_MESSAGE_BYTES {
            return Ok(());
        }
        let size = self.encode().len();
        if size <= MAX_MESSAGE_BYTES {
            return Ok(());
        }
        let id: String = self.id.chars().take(64).collect();
        Err(BrokerError::Invalid(format!(
            "message {id:?} has {size} bytes, where at most {MAX_MESSAGE_BYTES} are allowed; store large data elsewhere and pass its address"
        )))
    }

    /// An upper bound of its size, computed without writing it.
    fn most_bytes(&self) -> usize {
        let texts = [
            &self.last_error,
            &self.reply_to,
            &self.pin,
            &self.checked_against,
        ];
        let texts = texts.into_iter().flatten().map(String::len);
        let policy = self.retry.iter().flat_map(|policy| {
            let lists = policy.retry_on.iter().chain(&policy.ignore_on).flatten();
            lists.map(|name| name.len() + 3)
        });
        let names = self.extra.iter().map(|(name, _)| name.len() + 2);
        let texts: usize = texts.chain(policy).chain(names).sum();
        let values = self.extra.iter().map(|(_, value)| value.as_ref().len());
        let values: usize = values.sum();
        let arguments = usize::try_from(self.arguments.size()).unwrap_or(usize::MAX);
        // Escaping makes at most six bytes of a character.
        let texts = 6 * (self.id.len() + self.name.len() + texts);
        arguments.saturating_add(values + texts + FIXED)
    }

    /// Writes the bytes that are stored.
    pub(crate) fn write(&self, mut out: impl Write) -> io::Result<()> {
        let out = &mut out;
        add(out, r#"{"id":"#, &self.id)?;
        add(out, r#","name":"#, &self.name)?;
        raw(out, r#","args":"#, self.arguments.args())?;
        raw(out, r#","kwargs":"#, self.arguments.kwargs())?;
        add(out, r#","retries":"#, &self.retries)?;
        add(out, r#","eta":"#, &self.eta)?;
        add(out, r#","priority":"#, &self.priority)?;
        add(out, r#","first_failure_at":"#, &self.first_failure_at)?;
        add(out, r#","last_error":"#, &self.last_error)?;
        given(out, r#","retry":"#, self.retry.as_ref())?;
        let ignore_result = self.ignore_result.then_some(&true);
        given(out, r#","ignore_result":"#, ignore_result)?;
        given(out, r#","reply_to":"#, self.reply_to.as_ref())?;
        given(out, r#","pin":"#, self.pin.as_ref())?;
        given(out, r#","checked_against":"#, self.checked_against.as_ref())?;
        given(out, r#","no_canary":"#, self.no_canary.then_some(&true))?;
        given(out, r#","noted":"#, self.noted.then_some(&true))?;
        for (name, value) in &self.extra {
            add(out, ",", name)?;
            raw(out, ":", value)?;
        }
        out.write_all(b"}")
    }
}

impl Serialize for TaskMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(self.encode()).map_err(serde::ser::Error::custom)?;
        json.serialize(serializer)
    }
}

/// More than the names of all fields, the times and the numbers together.
const FIXED: usize = 1024;

/// Room for a message of the usual size, so it isn't moved while it is written.
const USUAL_SIZE: usize = 256;

/// Writes what comes before a value, and the value.
fn add(out: &mut impl Write, before: &str, value: &impl Serialize) -> io::Result<()> {
    out.write_all(before.as_bytes())?;
    Ok(serde_json::to_writer(out, value)?)
}

fn given(out: &mut impl Write, before: &str, value: Option<&impl Serialize>) -> io::Result<()> {
    value.map_or(Ok(()), |value| add(out, before, value))
}

fn raw(out: &mut impl Write, before: &str, value: &RawJson) -> io::Result<()> {
    out.write_all(before.as_bytes())?;
    out.write_all(value.as_ref())
}
