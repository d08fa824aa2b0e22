//! JSON as the text that came: checked once, never made a tree of values.
//!
//! Must not know what the text stands for.

use std::fmt;
use std::str;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// Levels of arrays and objects in a [`RawJson`]. In a message's object they are as deep as `serde_json` reads.
pub const MAX_DEPTH: usize = 126;

/// JSON text that is known to be well-formed. It is often a slice of a larger text, which is shared and not copied.
///
/// ```
/// use chicory_signature::RawJson;
///
/// let list = RawJson::parse("[1, 18446744073709551616]")?;
/// assert_eq!(list.as_str(), "[1, 18446744073709551616]");
/// # Ok::<(), chicory_signature::JsonError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

/// Why a text is not JSON that is accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It is not even text.
    #[error("not JSON: {0}")]
    Encoding(#[from] str::Utf8Error),
    /// Arrays and objects are nested too deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl RawJson {
    /// Checks a text.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, JsonError> {
        let text = text.into();
        let value: &RawValue = serde_json::from_str(str::from_utf8(&text)?)?;
        Self::within(&text, value)
    }

    /// A value that was read from `source`, as a slice of it.
    ///
    /// # Errors
    /// Where it is nested too deep.
    pub fn within(source: &Bytes, value: &RawValue) -> Result<Self, JsonError> {
        let text = value.get();
        if depth(text) > MAX_DEPTH {
            return Err(JsonError::TooDeep);
        }
        Ok(Self(source.slice_ref(text.as_bytes())))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// Where it can't be JSON, such as a map whose keys are not strings.
    pub fn of(value: &(impl Serialize + ?Sized)) -> serde_json::Result<Self> {
        Ok(Self(serde_json::to_vec(value)?.into()))
    }

    pub(crate) const fn fixed(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match str::from_utf8(&self.0) {
            Ok(text) => text,
            Err(error) => unreachable!("it was checked when it was made: {error}"),
        }
    }

    /// The text's length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether it is an array, an object, …: the word for it in an error.
    pub(crate) fn kind(&self) -> &'static str {
        kind(self.0.first().copied().unwrap_or_default())
    }

    /// The values that it stands for.
    ///
    /// # Errors
    /// Where a number is larger than any float, or a string has half of a surrogate pair.
    pub fn to_value(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.0)
    }

    /// Adds to an array or an object: `add` writes what is new between the last item and the closing bracket.
    pub(crate) fn extend(&mut self, add: impl FnOnce(&mut BytesMut)) {
        let mut text = BytesMut::from(std::mem::take(&mut self.0));
        let Some(close) = text.last().copied() else {
            return;
        };
        text.truncate(text.len() - 1);
        text.truncate(text.trim_ascii_end().len());
        if text.len() > 1 {
            text.put_u8(b',');
        }
        add(&mut text);
        text.put_u8(close);
        self.0 = text.freeze();
    }
}

/// What a value is, by its first byte, for an error; a value that may be long or secret is not shown.
pub(crate) fn kind(first: u8) -> &'static str {
    match first {
        b'n' => "null",
        b't' | b'f' => "boolean",
        b'"' => "string",
        b'[' => "array",
        b'{' => "object",
        _ => "number",
    }
}

/// How deep arrays and objects are nested in a well-formed text.
fn depth(text: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            b'"' => {
                while bytes.next().is_some_and(|byte| match byte {
                    b'"' => false,
                    b'\\' => bytes.next().is_some(),
                    _ => true,
                }) {}
            }
            _ => {}
        }
    }
    deepest
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<[u8]> for RawJson {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&Value> for RawJson {
    fn from(value: &Value) -> Self {
        match serde_json::to_vec(value) {
            Ok(text) => Self(Bytes::from(text)),
            Err(error) => unreachable!("a value is JSON: {error}"),
        }
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue =
            serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "[1,]", "[1] 2", "{\"a\"}", "nul", "01", "\"\u{1}\""] {
            assert!(RawJson::parse(text).is_err(), "{text}");
        }
        assert!(matches!(
            RawJson::parse(&b"\"\xff\""[..]),
            Err(JsonError::Encoding(_))
        ));
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(RawJson::parse(nested(MAX_DEPTH)).is_ok());
        assert!(matches!(
            RawJson::parse(nested(MAX_DEPTH + 1)),
            Err(JsonError::TooDeep)
        ));
        assert_eq!(depth(r#"["[[\"[[\\",{"a":"]"},[]]"#), 2);
    }

    #[test]
    fn a_slice_shares_the_text() {
        let source = Bytes::from_static(b" [1, 2] ");
        let json = RawJson::parse(source.clone()).unwrap();
        assert_eq!(json.as_str(), "[1, 2]");
        assert_eq!(json.0.as_ptr(), source[1..].as_ptr());
    }
}
