//! From JSON to WIT values, by type; errors say where.
//!
//! Must not know functions, nor whether a value is an argument.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use wasmtime::component::Val;

use crate::ended::ValidationError;
use crate::shape::{Case, Field, Outcome, Shape, names};

/// A conversion's result; the error's path starts at the value that was given.
pub(crate) type Lowered<T> = Result<T, ValidationError>;

/// Converts one value.
pub(crate) fn lower(shape: &Shape, value: &Value) -> Lowered<Val> {
    Ok(match shape {
        Shape::Bool => Val::Bool(value.as_bool().ok_or_else(|| mismatch(shape, value))?),
        Shape::S8 => Val::S8(integer(shape, value)?),
        Shape::U8 => Val::U8(integer(shape, value)?),
        Shape::S16 => Val::S16(integer(shape, value)?),
        Shape::U16 => Val::U16(integer(shape, value)?),
        Shape::S32 => Val::S32(integer(shape, value)?),
        Shape::U32 => Val::U32(integer(shape, value)?),
        Shape::S64 => Val::S64(integer(shape, value)?),
        Shape::U64 => Val::U64(integer(shape, value)?),
        Shape::F32 => Val::Float32(single(shape, value)?),
        Shape::F64 => Val::Float64(float(shape, value)?),
        Shape::Char => Val::Char(char(shape, value)?),
        Shape::String => Val::String(text(shape, value)?.to_owned()),
        Shape::Bytes => Val::List(bytes(shape, value)?),
        Shape::List(item) => Val::List(items(item, array(shape, value)?)?),
        Shape::FixedList(item, length) => {
            Val::FixedLengthList(items(item, exactly(shape, value, *length as usize)?)?)
        }
        Shape::Record(fields) => Val::Record(record(shape, fields, value)?),
        Shape::Tuple(shapes) => Val::Tuple(tuple(shapes, exactly(shape, value, shapes.len())?)?),
        Shape::Variant(cases) => variant(shape, cases, value)?,
        Shape::Enum(known) => Val::Enum(known_name(shape, known, value)?),
        Shape::Option(_) if value.is_null() => Val::Option(None),
        Shape::Option(inner) => Val::Option(Some(Box::new(lower(inner, value)?))),
        Shape::Result(outcome) => result(shape, outcome, value)?,
        Shape::Flags(known) => Val::Flags(flags(shape, known, value)?),
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

fn bytes(shape: &Shape, value: &Value) -> Lowered<Vec<Val>> {
    match value {
        Value::String(text) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(bytes.into_iter().map(Val::U8).collect()),
            Err(error) => Err(wrong(format!("expected {shape} as base64: {error}"))),
        },
        Value::Array(values) => items(&Shape::U8, values),
        _ => Err(wrong(format!(
            "expected {shape} as a base64 string, got {}",
            kind(value)
        ))),
    }
}

fn items(shape: &Shape, values: &[Value]) -> Lowered<Vec<Val>> {
    let item =
        |(index, value)| lower(shape, value).map_err(|error| at(error, &format!("[{index}]")));
    values.iter().enumerate().map(item).collect()
}

fn tuple(shapes: &[Shape], values: &[Value]) -> Lowered<Vec<Val>> {
    let item = |(index, (shape, value))| {
        lower(shape, value).map_err(|error| at(error, &format!("[{index}]")))
    };
    shapes.iter().zip(values).enumerate().map(item).collect()
}

fn record(shape: &Shape, fields: &[Field], value: &Value) -> Lowered<Vec<(String, Val)>> {
    let Value::Object(object) = value else {
        return Err(mismatch(shape, value));
    };
    let lowered: Vec<_> = fields
        .iter()
        .map(|field| Ok((field.name.clone(), by_name(field, object, "field")?)))
        .collect::<Lowered<_>>()?;
    if let Some(unknown) = object
        .keys()
        .find(|key| !fields.iter().any(|field| names(&field.name, key)))
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
pub(crate) fn by_name(field: &Field, object: &Map<String, Value>, what: &str) -> Lowered<Val> {
    let mut given = find(&field.name, object);
    let value = given.next();
    if given.next().is_some() {
        return Err(wrong(format!("{what} `{}` is given twice", field.name)));
    }
    match value {
        Some((name, value)) => {
            lower(&field.shape, value).map_err(|error| at(error, &format!(".{name}")))
        }
        None if matches!(field.shape, Shape::Option(_)) => Ok(Val::Option(None)),
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
    object.iter().filter(move |(key, _)| names(name, key))
}

fn variant(shape: &Shape, cases: &[Case], value: &Value) -> Lowered<Val> {
    let (name, payload) = match value {
        Value::String(name) => (name, None),
        Value::Object(object) if object.len() == 1 => {
            let (name, payload) = object.iter().next().expect("it has one entry");
            (name, Some(payload))
        }
        _ => return Err(mismatch(shape, value)),
    };
    let Some(case) = cases.iter().find(|case| names(&case.name, name)) else {
        return Err(wrong(format!("expected {shape}, got the case `{name}`")));
    };
    let payload = payload_of(name, case.payload.as_ref(), payload)?;
    Ok(Val::Variant(case.name.clone(), payload))
}

fn result(shape: &Shape, outcome: &Outcome, value: &Value) -> Lowered<Val> {
    let (side, given) = match value {
        Value::String(side) => (side, None),
        Value::Object(object) if object.len() == 1 => {
            let (side, given) = object.iter().next().expect("it has one entry");
            (side, Some(given))
        }
        _ => return Err(mismatch(shape, value)),
    };
    Ok(Val::Result(match side.as_str() {
        "ok" => Ok(payload_of(side, outcome.ok.as_ref(), given)?),
        "err" => Err(payload_of(side, outcome.err.as_ref(), given)?),
        _ => {
            return Err(wrong(format!(
                "expected {shape} as {{\"ok\": …}} or {{\"err\": …}}, got `{side}`"
            )));
        }
    }))
}

fn payload_of(
    case: &str,
    shape: Option<&Shape>,
    value: Option<&Value>,
) -> Lowered<Option<Box<Val>>> {
    match (shape, value) {
        (None, None | Some(Value::Null)) => Ok(None),
        (None, Some(_)) => Err(wrong(format!("the case `{case}` takes no value"))),
        (Some(shape), value) => lower(shape, value.unwrap_or(&Value::Null))
            .map(|val| Some(Box::new(val)))
            .map_err(|error| at(error, &format!(".{case}"))),
    }
}

fn known_name(shape: &Shape, known: &[String], value: &Value) -> Lowered<String> {
    let given = text(shape, value)?;
    let found = known.iter().find(|name| names(name, given));
    found
        .cloned()
        .ok_or_else(|| wrong(format!("expected {shape}, got `{given}`")))
}

fn flags(shape: &Shape, known: &[String], value: &Value) -> Lowered<Vec<String>> {
    let name = |(index, value)| {
        known_name(shape, known, value).map_err(|error| at(error, &format!("[{index}]")))
    };
    array(shape, value)?.iter().enumerate().map(name).collect()
}
