//! WIT types as the conversions need them: with names resolved, so that a call looks nothing up. Written as WIT
//! text for people and as JSON for the registry.
//!
//! Must not know values.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// A WIT value type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the WIT type of its name")]
pub enum Shape {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`, which is base64 in JSON.
    Bytes,
    List(Box<Shape>),
    FixedList(Box<Shape>, u32),
    Record(Box<[Field]>),
    Tuple(Box<[Shape]>),
    Variant(Box<[Case]>),
    Enum(Box<[String]>),
    Option(Box<Shape>),
    Result(Box<Outcome>),
    Flags(Box<[String]>),
}

/// A named part of a record, or a named parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// In WIT's spelling.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub shape: Shape,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// In WIT's spelling.
    pub name: String,
    /// The type of its value, if it has one.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Shape>,
}

/// The two sides of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its type where it went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<Shape>,
    /// Its type where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err: Option<Shape>,
}

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Bool => f.write_str("bool"),
            Shape::S8 => f.write_str("s8"),
            Shape::U8 => f.write_str("u8"),
            Shape::S16 => f.write_str("s16"),
            Shape::U16 => f.write_str("u16"),
            Shape::S32 => f.write_str("s32"),
            Shape::U32 => f.write_str("u32"),
            Shape::S64 => f.write_str("s64"),
            Shape::U64 => f.write_str("u64"),
            Shape::F32 => f.write_str("f32"),
            Shape::F64 => f.write_str("f64"),
            Shape::Char => f.write_str("char"),
            Shape::String => f.write_str("string"),
            Shape::Bytes => f.write_str("list<u8>"),
            Shape::List(item) => write!(f, "list<{item}>"),
            Shape::FixedList(item, length) => write!(f, "list<{item}, {length}>"),
            Shape::Record(fields) => braced(f, "record", fields),
            Shape::Tuple(items) => listed(f, "tuple<", items, ">"),
            Shape::Variant(cases) => braced(f, "variant", cases),
            Shape::Enum(names) => braced(f, "enum", names),
            Shape::Option(inner) => write!(f, "option<{inner}>"),
            Shape::Result(outcome) => outcome.fmt(f),
            Shape::Flags(names) => braced(f, "flags", names),
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.shape)
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.payload
            .as_ref()
            .map_or(Ok(()), |payload| write!(f, "({payload})"))
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.ok, &self.err) {
            (None, None) => f.write_str("result"),
            (Some(ok), None) => write!(f, "result<{ok}>"),
            (None, Some(err)) => write!(f, "result<_, {err}>"),
            (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
        }
    }
}

/// Writes `items` between `open` and `close`, with commas.
///
/// # Errors
/// If the formatter fails.
pub fn listed(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    items: &[impl Display],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    f.write_str(close)
}

fn braced(f: &mut fmt::Formatter<'_>, keyword: &str, items: &[impl Display]) -> fmt::Result {
    f.write_str(keyword)?;
    listed(f, " { ", items, " }")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_written_as_wit() {
        let record = Shape::Record(
            [
                Field {
                    name: "max-width".into(),
                    shape: Shape::U32,
                },
                Field {
                    name: "tags".into(),
                    shape: Shape::List(Box::new(Shape::String)),
                },
            ]
            .into(),
        );
        let result = Shape::Result(Box::new(Outcome {
            ok: Some(record),
            err: Some(Shape::Bytes),
        }));
        assert_eq!(
            result.to_string(),
            "result<record { max-width: u32, tags: list<string> }, list<u8>>"
        );
        let variant = Shape::Variant(
            [
                Case {
                    name: "none".into(),
                    payload: None,
                },
                Case {
                    name: "some".into(),
                    payload: Some(Shape::Tuple([Shape::F32, Shape::Char].into())),
                },
            ]
            .into(),
        );
        assert_eq!(
            variant.to_string(),
            "variant { none, some(tuple<f32, char>) }"
        );
        let unit = Shape::Result(Box::new(Outcome {
            ok: None,
            err: Some(Shape::Bool),
        }));
        assert_eq!(unit.to_string(), "result<_, bool>");
    }
}
