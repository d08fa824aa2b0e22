//! Writing a message as the bytes that are stored.
//!
//! Must not know where they go.

use std::io::{self, Write};

use chicory_signature::RawJson;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::TaskMessage;

impl TaskMessage {
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

/// Room for a message of the usual size, so that it is not moved while it is written.
const USUAL_SIZE: usize = 256;

/// Writes what stands before a value, and the value.
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
