//! The arguments of one call, as JSON text from where they are given to where they are converted.
//!
//! Must not know what takes them.

use bytes::BufMut;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::RawJson;
use crate::reader::{Entry, Reader};

/// A call's arguments: an array of those by position, and an object of those by name.
///
/// ```
/// use chicory_signature::Arguments;
///
/// let mut arguments = Arguments::default();
/// arguments.push(&1)?;
/// arguments.insert("max-width", &200)?;
/// assert_eq!(arguments.args().as_str(), "[1]");
/// assert_eq!(arguments.kwargs().as_str(), r#"{"max-width":200}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    args: RawJson,
    kwargs: RawJson,
}

/// JSON that is not a call's arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected an {expected}, got {given}")]
#[non_exhaustive]
pub struct ArgumentsError {
    /// `args` or `kwargs`.
    pub field: &'static str,
    /// What it has to be.
    pub expected: &'static str,
    /// What it is.
    pub given: &'static str,
}

const NO_ARGS: RawJson = RawJson::fixed("[]");
const NO_KWARGS: RawJson = RawJson::fixed("{}");

impl Default for Arguments {
    /// None.
    fn default() -> Self {
        Self {
            args: NO_ARGS,
            kwargs: NO_KWARGS,
        }
    }
}

impl From<Vec<Value>> for Arguments {
    /// Arguments by position.
    fn from(args: Vec<Value>) -> Self {
        Self {
            args: RawJson::from(&Value::Array(args)),
            kwargs: NO_KWARGS,
        }
    }
}

impl Arguments {
    /// Arguments that are values.
    pub fn new(args: &[Value], kwargs: &Map<String, Value>) -> Self {
        let mut arguments = Self::default();
        for arg in args {
            arguments.add(&RawJson::from(arg));
        }
        for (name, value) in kwargs {
            arguments.put(name, &RawJson::from(value));
        }
        arguments
    }

    /// An array of those by position.
    pub fn args(&self) -> &RawJson {
        &self.args
    }

    /// An object of those by name.
    pub fn kwargs(&self) -> &RawJson {
        &self.kwargs
    }

    /// How many bytes they have as JSON.
    pub fn size(&self) -> u64 {
        self.args.size() + self.kwargs.size()
    }

    /// Sets all arguments by position; null stands for none.
    ///
    /// # Errors
    /// Where they are not an array.
    pub fn set_args(&mut self, args: RawJson) -> Result<(), ArgumentsError> {
        self.args = match args.kind() {
            "array" => args,
            "null" => NO_ARGS,
            given => {
                return Err(ArgumentsError {
                    field: "args",
                    expected: "array",
                    given,
                });
            }
        };
        Ok(())
    }

    /// Sets all arguments by name; null stands for none.
    ///
    /// # Errors
    /// Where they are not an object.
    pub fn set_kwargs(&mut self, kwargs: RawJson) -> Result<(), ArgumentsError> {
        self.kwargs = match kwargs.kind() {
            "object" => kwargs,
            "null" => NO_KWARGS,
            given => {
                return Err(ArgumentsError {
                    field: "kwargs",
                    expected: "object",
                    given,
                });
            }
        };
        Ok(())
    }

    /// Adds one by position.
    ///
    /// # Errors
    /// Where the value can't be JSON, such as a map whose keys are not strings.
    pub fn push(&mut self, value: &(impl Serialize + ?Sized)) -> serde_json::Result<()> {
        self.add(&RawJson::of(value)?);
        Ok(())
    }

    /// Adds one by name, in place of one that has the name already.
    ///
    /// # Errors
    /// As [`Arguments::push`].
    pub fn insert(
        &mut self,
        name: &str,
        value: &(impl Serialize + ?Sized),
    ) -> serde_json::Result<()> {
        let value = RawJson::of(value)?;
        self.remove(name);
        self.put(name, &value);
        Ok(())
    }

    fn add(&mut self, value: &RawJson) {
        self.args.extend(|text| text.put_slice(value.as_ref()));
    }

    fn put(&mut self, name: &str, value: &RawJson) {
        let name = Value::from(name).to_string();
        self.kwargs.extend(|text| {
            text.put_slice(name.as_bytes());
            text.put_u8(b':');
            text.put_slice(value.as_ref());
        });
    }

    fn remove(&mut self, name: &str) {
        let is_other = |entry: &&Entry<'_>| entry.key().is_ok_and(|key| key != name);
        let given = self.kwargs.clone();
        let entries: Vec<_> = Reader::new(&given).entries().collect();
        let others: Vec<_> = entries.iter().filter(is_other).collect();
        if others.len() < entries.len() {
            self.kwargs = NO_KWARGS;
            for entry in others {
                self.kwargs
                    .extend(|text| text.put_slice(entry.text.as_bytes()));
            }
        }
    }
}
