//! From WIT values to JSON, by type.
//!
//! Must not know functions, nor whether a value is a result or an error.

use std::cell::RefCell;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use wasmtime::component::Val;

use chicory_signature::{Case, Field, Outcome, Shape};

/// The value as JSON text, or `None` if that is longer than `limit` bytes.
pub(crate) fn lift(shape: &Shape, val: &Val, limit: u64) -> Option<Box<RawValue>> {
    let text = WRITTEN.with_borrow_mut(|text| {
        text.clear();
        let mut out = Capped {
            text,
            left: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        serde_json::to_writer(&mut out, &Json { shape, val }).ok()?;
        // A copy has the right size at once; a long text is worth more than that.
        let text = if text.len() > KEPT {
            std::mem::take(text)
        } else {
            text.clone()
        };
        Some(text)
    })?;
    RawValue::from_string(String::from_utf8(text).ok()?).ok()
}

thread_local! {
    /// Where values are written, so that the text of a short one is allocated once and not as it grows.
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The largest buffer that a thread keeps.
const KEPT: usize = 16 << 10;

struct Capped<'a> {
    text: &'a mut Vec<u8>,
    left: usize,
}

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value with its type, as serde sees it.
struct Json<'a> {
    shape: &'a Shape,
    val: &'a Val,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match (self.shape, self.val) {
            (_, Val::Bool(value)) => out.serialize_bool(*value),
            (_, Val::S8(value)) => out.serialize_i8(*value),
            (_, Val::U8(value)) => out.serialize_u8(*value),
            (_, Val::S16(value)) => out.serialize_i16(*value),
            (_, Val::U16(value)) => out.serialize_u16(*value),
            (_, Val::S32(value)) => out.serialize_i32(*value),
            (_, Val::U32(value)) => out.serialize_u32(*value),
            (_, Val::S64(value)) => out.serialize_i64(*value),
            (_, Val::U64(value)) => out.serialize_u64(*value),
            (_, Val::Float32(value)) if value.is_finite() => out.serialize_f32(*value),
            (_, Val::Float32(value)) => out.serialize_str(not_finite(f64::from(*value))),
            (_, Val::Float64(value)) if value.is_finite() => out.serialize_f64(*value),
            (_, Val::Float64(value)) => out.serialize_str(not_finite(*value)),
            (_, Val::Char(value)) => out.serialize_char(*value),
            (_, Val::String(value)) => out.serialize_str(value),
            (Shape::Bytes, Val::List(items)) => out.serialize_str(&base64(items)),
            (
                Shape::List(shape) | Shape::FixedList(shape, _),
                Val::List(items) | Val::FixedLengthList(items),
            ) => out.collect_seq(items.iter().map(|val| Json { shape, val })),
            (Shape::Record(fields), Val::Record(values)) => record(fields, values, out),
            (Shape::Tuple(shapes), Val::Tuple(values)) => out.collect_seq(
                shapes
                    .iter()
                    .zip(values)
                    .map(|(shape, val)| Json { shape, val }),
            ),
            (Shape::Variant(cases), Val::Variant(name, payload)) => {
                variant(cases, name, payload.as_deref(), out)
            }
            (_, Val::Enum(name)) => out.serialize_str(name),
            (Shape::Option(shape), Val::Option(Some(val))) => Json { shape, val }.serialize(out),
            (_, Val::Option(None)) => out.serialize_unit(),
            (Shape::Result(outcome), Val::Result(value)) => result(outcome, value, out),
            (_, Val::Flags(names)) => out.collect_seq(names),
            (shape, _) => Err(S::Error::custom(format_args!(
                "a value that is not a {shape}"
            ))),
        }
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// Base64 of a `list<u8>`.
fn base64(items: &[Val]) -> String {
    let byte = |val: &Val| {
        if let Val::U8(byte) = val {
            Some(*byte)
        } else {
            None
        }
    };
    STANDARD.encode(items.iter().filter_map(byte).collect::<Vec<u8>>())
}

fn record<S: Serializer>(
    fields: &[Field],
    values: &[(String, Val)],
    out: S,
) -> Result<S::Ok, S::Error> {
    // wasmtime gives a record's fields in the order of the type.
    out.collect_map(fields.iter().zip(values).map(|(field, (name, val))| {
        (
            name,
            Json {
                shape: &field.shape,
                val,
            },
        )
    }))
}

fn variant<S: Serializer>(
    cases: &[Case],
    name: &str,
    payload: Option<&Val>,
    out: S,
) -> Result<S::Ok, S::Error> {
    let shape = cases
        .iter()
        .find(|case| case.name == name)
        .and_then(|case| case.payload.as_ref());
    match (shape, payload) {
        (Some(shape), Some(val)) => entry(name, &Json { shape, val }, out),
        _ => out.serialize_str(name),
    }
}

type Sides = Result<Option<Box<Val>>, Option<Box<Val>>>;

fn result<S: Serializer>(outcome: &Outcome, value: &Sides, out: S) -> Result<S::Ok, S::Error> {
    let (side, shape, val) = match value {
        Ok(val) => ("ok", &outcome.ok, val),
        Err(val) => ("err", &outcome.err, val),
    };
    match (shape, val) {
        (Some(shape), Some(val)) => entry(side, &Json { shape, val }, out),
        _ => entry(side, &(), out),
    }
}

fn entry<S: Serializer>(key: &str, value: &impl Serialize, out: S) -> Result<S::Ok, S::Error> {
    let mut map = out.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

#[cfg(test)]
mod tests;
