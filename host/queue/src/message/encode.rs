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

impl Serialize for TaskMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(self.encode()).map_err(serde::ser::Error::custom)?;
        json.serialize(serializer)
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
