//! From JSON to WIT values, by type; errors say where.
//!
//! What a value becomes is the caller's choice of a [`Target`]: a value of the sandbox, or nothing where it
//! is only checked, so that a producer and a worker can't differ. Must not know functions, nor whether a
//! value is an argument.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::ValidationError;
use crate::name::same_name;
use crate::shape::{Case, Field, Outcome, Shape};

/// A conversion's result; the error's path starts at the value that was given.
pub(crate) type Lowered<T> = Result<T, ValidationError>;

/// What WIT values are made of.
#[expect(
    missing_docs,
    reason = "each makes a value of the WIT type of its name"
)]
pub trait Target {
    /// A value.
    type Value;
    /// A record's field.
    type Field;

    fn bool(value: bool) -> Self::Value;
    fn s8(value: i8) -> Self::Value;
    fn u8(value: u8) -> Self::Value;
    fn s16(value: i16) -> Self::Value;
    fn u16(value: u16) -> Self::Value;
    fn s32(value: i32) -> Self::Value;
    fn u32(value: u32) -> Self::Value;
    fn s64(value: i64) -> Self::Value;
    fn u64(value: u64) -> Self::Value;
    fn f32(value: f32) -> Self::Value;
    fn f64(value: f64) -> Self::Value;
    fn char(value: char) -> Self::Value;
    fn string(value: &str) -> Self::Value;
    fn bytes(value: Vec<u8>) -> Self::Value;
    fn list(items: Vec<Self::Value>) -> Self::Value;
    fn fixed_list(items: Vec<Self::Value>) -> Self::Value;
    fn field(name: &str, value: Self::Value) -> Self::Field;
    fn record(fields: Vec<Self::Field>) -> Self::Value;
    fn tuple(items: Vec<Self::Value>) -> Self::Value;
    fn variant(case: &str, payload: Option<Self::Value>) -> Self::Value;
    fn enumeration(case: &str) -> Self::Value;
    fn option(value: Option<Self::Value>) -> Self::Value;
    fn result(value: Result<Option<Self::Value>, Option<Self::Value>>) -> Self::Value;
    fn flags(set: Vec<&str>) -> Self::Value;
}

/// Converts one value.
///
/// # Errors
/// Says what does not fit, and where.
pub fn lower<T: Target>(shape: &Shape, value: &Value) -> Lowered<T::Value> {
    Ok(match shape {
        Shape::Bool => T::bool(value.as_bool().ok_or_else(|| mismatch(shape, value))?),
        Shape::S8 => T::s8(integer(shape, value)?),
        Shape::U8 => T::u8(integer(shape, value)?),
        Shape::S16 => T::s16(integer(shape, value)?),
        Shape::U16 => T::u16(integer(shape, value)?),
        Shape::S32 => T::s32(integer(shape, value)?),
        Shape::U32 => T::u32(integer(shape, value)?),
        Shape::S64 => T::s64(integer(shape, value)?),
        Shape::U64 => T::u64(integer(shape, value)?),
        Shape::F32 => T::f32(single(shape, value)?),
        Shape::F64 => T::f64(float(shape, value)?),
        Shape::Char => T::char(char(shape, value)?),
        Shape::String => T::string(text(shape, value)?),
        Shape::Bytes => bytes::<T>(shape, value)?,
        Shape::List(item) => T::list(items::<T>(item, array(shape, value)?)?),
        Shape::FixedList(item, length) => {
            T::fixed_list(items::<T>(item, exactly(shape, value, *length as usize)?)?)
        }
        Shape::Record(fields) => T::record(record::<T>(shape, fields, value)?),
        Shape::Tuple(shapes) => T::tuple(tuple::<T>(shapes, exactly(shape, value, shapes.len())?)?),
        Shape::Variant(cases) => variant::<T>(shape, cases, value)?,
        Shape::Enum(known) => T::enumeration(known_name(shape, known, value)?),
        Shape::Option(_) if value.is_null() => T::option(None),
        Shape::Option(inner) => T::option(Some(lower::<T>(inner, value)?)),
        Shape::Result(outcome) => result::<T>(shape, outcome, value)?,
        Shape::Flags(known) => T::flags(flags(shape, known, value)?),
    })
}

/// An error at the place where it is found; callers put their part of the path before it.
pub(crate) fn wrong(message: impl Into<String>) -> ValidationError {
    ValidationError {
        path: String::new(),
        message: message.into(),
    }
}

/// Puts `segment` before an error's path.
pub(crate) fn at(mut error: ValidationError, segment: &str) -> ValidationError {
    error.path.insert_str(0, segment);
    error
}

fn mismatch(shape: &Shape, value: &Value) -> ValidationError {
    wrong(format!("expected {shape}, got {}", kind(value)))
}

/// What a value is, for an error; a value that may be long or secret is not shown.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn integer<T: TryFrom<i128>>(shape: &Shape, value: &Value) -> Lowered<T> {
    let Value::Number(number) = value else {
        return Err(mismatch(shape, value));
    };
    let whole = number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
        .or_else(|| number.as_f64().and_then(whole));
    let Some(whole) = whole else {
        return Err(wrong(format!(
            "expected {shape}, got {number}, which has a fraction"
        )));
    };
    T::try_from(whole).map_err(|_| {
        wrong(format!(
            "expected {shape}, got {number}, which is out of range"
        ))
    })
}

/// The integer that a float without a fraction stands for, as `3.0` does for 3.
fn whole(float: f64) -> Option<i128> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; what is above any integer type stays above it"
    )]
    (float.fract() == 0.0).then_some(float as i128)
}

fn float(shape: &Shape, value: &Value) -> Lowered<f64> {
    match value {
        // JSON has no numbers for these three.
        Value::String(text) if text == "NaN" => Ok(f64::NAN),
        Value::String(text) if text == "Infinity" => Ok(f64::INFINITY),
        Value::String(text) if text == "-Infinity" => Ok(f64::NEG_INFINITY),
        _ => value.as_f64().ok_or_else(|| mismatch(shape, value)),
    }
}

fn single(shape: &Shape, value: &Value) -> Lowered<f32> {
    let float = float(shape, value)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding is what f32 means; overflow is checked"
    )]
    let single = float as f32;
    if single.is_infinite() && float.is_finite() {
        return Err(wrong(format!(
            "expected {shape}, got {float}, which is out of range"
        )));
    }
    Ok(single)
}

fn char(shape: &Shape, value: &Value) -> Lowered<char> {
    let mut chars = text(shape, value)?.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(wrong(
            "expected char, got a string that is not one character long",
        )),
    }
}

fn text<'a>(shape: &Shape, value: &'a Value) -> Lowered<&'a str> {
    value.as_str().ok_or_else(|| mismatch(shape, value))
}

fn array<'a>(shape: &Shape, value: &'a Value) -> Lowered<&'a [Value]> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| mismatch(shape, value))
}

fn exactly<'a>(shape: &Shape, value: &'a Value, length: usize) -> Lowered<&'a [Value]> {
    let array = array(shape, value)?;
    if array.len() != length {
        return Err(wrong(format!(
            "expected {shape}, got an array of {}",
            array.len()
        )));
    }
    Ok(array)
}

fn bytes<T: Target>(shape: &Shape, value: &Value) -> Lowered<T::Value> {
    match value {
        Value::String(text) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(T::bytes(bytes)),
            Err(error) => Err(wrong(format!("expected {shape} as base64: {error}"))),
        },
        Value::Array(values) => items::<T>(&Shape::U8, values).map(T::list),
        _ => Err(wrong(format!(
            "expected {shape} as a base64 string, got {}",
            kind(value)
        ))),
    }
}

fn items<T: Target>(shape: &Shape, values: &[Value]) -> Lowered<Vec<T::Value>> {
    let item =
        |(index, value)| lower::<T>(shape, value).map_err(|error| at(error, &format!("[{index}]")));
    values.iter().enumerate().map(item).collect()
}

fn tuple<T: Target>(shapes: &[Shape], values: &[Value]) -> Lowered<Vec<T::Value>> {
    let item = |(index, (shape, value))| {
        lower::<T>(shape, value).map_err(|error| at(error, &format!("[{index}]")))
    };
    shapes.iter().zip(values).enumerate().map(item).collect()
}

fn record<T: Target>(shape: &Shape, fields: &[Field], value: &Value) -> Lowered<Vec<T::Field>> {
    let Value::Object(object) = value else {
        return Err(mismatch(shape, value));
    };
    let lowered: Vec<_> = fields
        .iter()
        .map(|field| Ok(T::field(&field.name, by_name::<T>(field, object, "field")?)))
        .collect::<Lowered<_>>()?;
    if let Some(unknown) = object
        .keys()
        .find(|key| !fields.iter().any(|field| same_name(&field.name, key)))
    {
        let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        return Err(wrong(format!(
            "unknown field `{unknown}`; the fields are {}",
            known.join(", ")
        )));
    }
    Ok(lowered)
}

/// The value of a record's field, or of a parameter given by name; an option may be absent.
pub(crate) fn by_name<T: Target>(
    field: &Field,
    object: &Map<String, Value>,
    what: &str,
) -> Lowered<T::Value> {
    let mut given = find(&field.name, object);
    let value = given.next();
    if given.next().is_some() {
        return Err(wrong(format!("{what} `{}` is given twice", field.name)));
    }
    match value {
        Some((name, value)) => {
            lower::<T>(&field.shape, value).map_err(|error| at(error, &format!(".{name}")))
        }
        None if matches!(field.shape, Shape::Option(_)) => Ok(T::option(None)),
        None => Err(wrong(format!(
            "missing {what} `{}: {}`",
            field.name, field.shape
        ))),
    }
}

fn find<'a>(
    name: &str,
    object: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.iter().filter(move |(key, _)| same_name(name, key))
}

fn variant<T: Target>(shape: &Shape, cases: &[Case], value: &Value) -> Lowered<T::Value> {
    let (name, payload) = match value {
        Value::String(name) => (name, None),
        Value::Object(object) if object.len() == 1 => {
            let (name, payload) = object.iter().next().expect("it has one entry");
            (name, Some(payload))
        }
        _ => return Err(mismatch(shape, value)),
    };
    let Some(case) = cases.iter().find(|case| same_name(&case.name, name)) else {
        return Err(wrong(format!("expected {shape}, got the case `{name}`")));
    };
    let payload = payload_of::<T>(name, case.payload.as_ref(), payload)?;
    Ok(T::variant(&case.name, payload))
}

fn result<T: Target>(shape: &Shape, outcome: &Outcome, value: &Value) -> Lowered<T::Value> {
    let (side, given) = match value {
        Value::String(side) => (side, None),
        Value::Object(object) if object.len() == 1 => {
            let (side, given) = object.iter().next().expect("it has one entry");
            (side, Some(given))
        }
        _ => return Err(mismatch(shape, value)),
    };
    Ok(T::result(match side.as_str() {
        "ok" => Ok(payload_of::<T>(side, outcome.ok.as_ref(), given)?),
        "err" => Err(payload_of::<T>(side, outcome.err.as_ref(), given)?),
        _ => {
            return Err(wrong(format!(
                "expected {shape} as {{\"ok\": …}} or {{\"err\": …}}, got `{side}`"
            )));
        }
    }))
}

fn payload_of<T: Target>(
    case: &str,
    shape: Option<&Shape>,
    value: Option<&Value>,
) -> Lowered<Option<T::Value>> {
    match (shape, value) {
        (None, None | Some(Value::Null)) => Ok(None),
        (None, Some(_)) => Err(wrong(format!("the case `{case}` takes no value"))),
        (Some(shape), value) => lower::<T>(shape, value.unwrap_or(&Value::Null))
            .map(Some)
            .map_err(|error| at(error, &format!(".{case}"))),
    }
}

fn known_name<'a>(shape: &Shape, known: &'a [String], value: &Value) -> Lowered<&'a str> {
    let given = text(shape, value)?;
    let found = known.iter().find(|name| same_name(name, given));
    found
        .map(String::as_str)
        .ok_or_else(|| wrong(format!("expected {shape}, got `{given}`")))
}

fn flags<'a>(shape: &Shape, known: &'a [String], value: &Value) -> Lowered<Vec<&'a str>> {
    let name = |(index, value)| {
        known_name(shape, known, value).map_err(|error| at(error, &format!("[{index}]")))
    };
    array(shape, value)?.iter().enumerate().map(name).collect()
}

/// Makes nothing: values are only checked.
pub(crate) struct Check;

impl Target for Check {
    type Value = ();
    type Field = ();

    fn bool(_: bool) {}
    fn s8(_: i8) {}
    fn u8(_: u8) {}
    fn s16(_: i16) {}
    fn u16(_: u16) {}
    fn s32(_: i32) {}
    fn u32(_: u32) {}
    fn s64(_: i64) {}
    fn u64(_: u64) {}
    fn f32(_: f32) {}
    fn f64(_: f64) {}
    fn char(_: char) {}
    fn string(_: &str) {}
    fn bytes(_: Vec<u8>) {}
    fn list(_: Vec<()>) {}
    fn fixed_list(_: Vec<()>) {}
    fn field(_: &str, (): ()) {}
    fn record(_: Vec<()>) {}
    fn tuple(_: Vec<()>) {}
    fn variant(_: &str, _: Option<()>) {}
    fn enumeration(_: &str) {}
    fn option(_: Option<()>) {}
    fn result(_: Result<Option<()>, Option<()>>) {}
    fn flags(_: Vec<&str>) {}
}
