//! From JSON text to WIT values, by type, without a tree of values in between; errors say where.
//!
//! What a value becomes is the caller's choice of a [`Target`]: a value of the sandbox, or nothing where it
//! is only checked, so that a producer and a worker can't differ. Must not know functions, nor whether a
//! value is an argument.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Lowered, ValidationError, at, wrong};
use crate::json::RawJson;
use crate::name::same_name;
use crate::number::{self, Misfit};
use crate::reader::Reader;
use crate::shape::{Case, Field, Outcome, Shape};
use crate::target::Target;

/// Converts one value.
///
/// # Errors
/// Says what does not fit, and where.
pub fn lower<T: Target>(shape: &Shape, json: &RawJson) -> Result<T::Value, ValidationError> {
    value::<T>(shape, &mut Reader::new(json))
}

/// Converts the value that comes next.
pub(crate) fn value<T: Target>(shape: &Shape, json: &mut Reader<'_>) -> Lowered<T::Value> {
    Ok(match shape {
        Shape::Bool => T::bool(json.boolean().ok_or_else(|| mismatch(shape, json))?),
        Shape::S8 => T::s8(number(shape, json, number::integer)?),
        Shape::U8 => T::u8(number(shape, json, number::integer)?),
        Shape::S16 => T::s16(number(shape, json, number::integer)?),
        Shape::U16 => T::u16(number(shape, json, number::integer)?),
        Shape::S32 => T::s32(number(shape, json, number::integer)?),
        Shape::U32 => T::u32(number(shape, json, number::integer)?),
        Shape::S64 => T::s64(number(shape, json, number::integer)?),
        Shape::U64 => T::u64(number(shape, json, number::integer)?),
        Shape::F32 => T::f32(float(shape, json, number::single)?),
        Shape::F64 => T::f64(float(shape, json, number::double)?),
        Shape::Char => T::char(char(shape, json)?),
        Shape::String => T::string(text(shape, json)?),
        Shape::Bytes => bytes::<T>(shape, json)?,
        Shape::List(item) => T::list(items::<T>(shape, item, json)?),
        Shape::FixedList(item, length) => {
            let shapes = std::iter::repeat_n(&**item, *length as usize);
            T::fixed_list(exactly::<T>(shape, shapes, json)?)
        }
        Shape::Record(fields) => T::record(record::<T>(shape, fields, json)?),
        Shape::Tuple(shapes) => T::tuple(exactly::<T>(shape, shapes.iter(), json)?),
        Shape::Variant(cases) => variant::<T>(shape, cases, json)?,
        Shape::Enum(known) => T::enumeration(known_name(shape, known, json)?),
        Shape::Option(_) if json.is_null() => T::option(None),
        Shape::Option(inner) => T::option(Some(value::<T>(inner, json)?)),
        Shape::Result(outcome) => result::<T>(shape, outcome, json)?,
        Shape::Flags(known) => T::flags(flags(shape, known, json)?),
    })
}

fn mismatch(shape: &Shape, json: &mut Reader<'_>) -> ValidationError {
    wrong(format!("expected {shape}, got {}", json.kind()))
}

fn number<N>(
    shape: &Shape,
    json: &mut Reader<'_>,
    read: impl FnOnce(&str) -> Result<N, Misfit>,
) -> Lowered<N> {
    let text = json.number().ok_or_else(|| mismatch(shape, json))?;
    read(text).map_err(|misfit| {
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        wrong(format!(
            "expected {shape}, got {shown}{more}, {}",
            misfit.reason()
        ))
    })
}

/// Digits of a number in an error.
const SHOWN: usize = 40;

fn float<N: From<f32>>(
    shape: &Shape,
    json: &mut Reader<'_>,
    read: impl FnOnce(&str) -> Result<N, Misfit>,
) -> Lowered<N> {
    if json.peek() != b'"' {
        return number(shape, json, read);
    }
    // JSON has no numbers for these three.
    match &*text(shape, json)? {
        "NaN" => Ok(f32::NAN.into()),
        "Infinity" => Ok(f32::INFINITY.into()),
        "-Infinity" => Ok(f32::NEG_INFINITY.into()),
        _ => Err(wrong(format!("expected {shape}, got string"))),
    }
}

fn char(shape: &Shape, json: &mut Reader<'_>) -> Lowered<char> {
    let text = text(shape, json)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(wrong(
            "expected char, got a string that is not one character long",
        )),
    }
}

fn text<'a>(shape: &Shape, json: &mut Reader<'a>) -> Lowered<Cow<'a, str>> {
    json.string().ok_or_else(|| mismatch(shape, json))?
}

fn bytes<T: Target>(shape: &Shape, json: &mut Reader<'_>) -> Lowered<T::Value> {
    match json.peek() {
        b'"' => match STANDARD.decode(&*text(shape, json)?) {
            Ok(bytes) => Ok(T::bytes(bytes)),
            Err(error) => Err(wrong(format!("expected {shape} as base64: {error}"))),
        },
        b'[' => items::<T>(shape, &Shape::U8, json).map(T::list),
        _ => Err(wrong(format!(
            "expected {shape} as a base64 string, got {}",
            json.kind()
        ))),
    }
}

fn items<T: Target>(shape: &Shape, item: &Shape, json: &mut Reader<'_>) -> Lowered<Vec<T::Value>> {
    open(shape, json, b'[')?;
    let mut items = Vec::with_capacity(json.count());
    while json.more() {
        items.push(item_at::<T>(items.len(), item, json)?);
    }
    Ok(items)
}

fn item_at<T: Target>(index: usize, shape: &Shape, json: &mut Reader<'_>) -> Lowered<T::Value> {
    value::<T>(shape, json).map_err(|error| at(error, &format!("[{index}]")))
}

/// An array of as many values as there are shapes.
fn exactly<'s, T: Target>(
    shape: &Shape,
    shapes: impl Iterator<Item = &'s Shape>,
    json: &mut Reader<'_>,
) -> Lowered<Vec<T::Value>> {
    open(shape, json, b'[')?;
    let mut given = json.clone();
    let mut items = Vec::with_capacity(json.count());
    for item in shapes {
        if !json.more() {
            return Err(of_length(shape, &mut given));
        }
        items.push(item_at::<T>(items.len(), item, json)?);
    }
    if json.more() {
        return Err(of_length(shape, &mut given));
    }
    Ok(items)
}

fn of_length(shape: &Shape, array: &mut Reader<'_>) -> ValidationError {
    wrong(format!(
        "expected {shape}, got an array of {}",
        array.rest()
    ))
}

fn open(shape: &Shape, json: &mut Reader<'_>, bracket: u8) -> Lowered<()> {
    if json.open(bracket) {
        return Ok(());
    }
    Err(mismatch(shape, json))
}

fn record<T: Target>(
    shape: &Shape,
    fields: &[Field],
    json: &mut Reader<'_>,
) -> Lowered<Vec<T::Field>> {
    open(shape, json, b'{')?;
    let slot = |field: &Field, value| T::field(&field.name, value);
    let mut slots: Vec<_> = fields.iter().map(|_| None).collect();
    let named = Named {
        place: "",
        what: "field",
        fields,
    };
    named.fill::<T, _>(&mut slots, json, slot, |key| {
        let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        wrong(format!(
            "unknown field `{key}`; the fields are {}",
            known.join(", ")
        ))
    })?;
    let slots = slots.into_iter().zip(fields);
    slots
        .map(|(given, field)| named.filled::<T, _>(field, given, slot))
        .collect()
}

/// What an object gives by name: a record's fields, or a call's arguments.
pub(crate) struct Named<'a> {
    /// The object's path.
    pub(crate) place: &'a str,
    /// What each of them is called.
    pub(crate) what: &'a str,
    /// Their names and types.
    pub(crate) fields: &'a [Field],
}

impl Named<'_> {
    /// Converts the entries of an object that was opened, each into its field's slot.
    pub(crate) fn fill<T: Target, S>(
        &self,
        slots: &mut [Option<S>],
        json: &mut Reader<'_>,
        slot: impl Fn(&Field, T::Value) -> S,
        unknown: impl Fn(&str) -> ValidationError,
    ) -> Lowered<()> {
        // Most objects have their fields in the order of the type.
        let mut next = 0;
        while json.more() {
            let key = json.key().map_err(|error| at(error, self.place))?;
            let is_named = |field: &Field| same_name(&field.name, &key);
            let index = match self.fields.get(next) {
                Some(field) if is_named(field) => next,
                _ => (self.fields.iter().position(is_named)).ok_or_else(|| unknown(&key))?,
            };
            let field = &self.fields[index];
            if slots[index].is_some() {
                let message = format!("{} `{}` is given twice", self.what, field.name);
                return Err(at(wrong(message), self.place));
            }
            let converted = value::<T>(&field.shape, json);
            let converted =
                converted.map_err(|error| at(error, &format!("{}.{key}", self.place)))?;
            slots[index] = Some(slot(field, converted));
            next = index + 1;
        }
        Ok(())
    }

    /// What a field's slot holds at the end; a value of an option type may be left out.
    pub(crate) fn filled<T: Target, S>(
        &self,
        field: &Field,
        given: Option<S>,
        slot: impl Fn(&Field, T::Value) -> S,
    ) -> Lowered<S> {
        match given {
            Some(given) => Ok(given),
            None if matches!(field.shape, Shape::Option(_)) => Ok(slot(field, T::option(None))),
            None => {
                let message = format!("missing {} `{field}`", self.what);
                Err(at(wrong(message), self.place))
            }
        }
    }
}

fn variant<T: Target>(shape: &Shape, cases: &[Case], json: &mut Reader<'_>) -> Lowered<T::Value> {
    by_case(shape, json, |name, given| {
        let Some(case) = cases.iter().find(|case| same_name(&case.name, name)) else {
            return Err(wrong(format!("expected {shape}, got the case `{name}`")));
        };
        let payload = payload_of::<T>(name, case.payload.as_ref(), given)?;
        Ok(T::variant(&case.name, payload))
    })
}

fn result<T: Target>(shape: &Shape, outcome: &Outcome, json: &mut Reader<'_>) -> Lowered<T::Value> {
    by_case(shape, json, |side, given| {
        Ok(T::result(match side {
            "ok" => Ok(payload_of::<T>(side, outcome.ok.as_ref(), given)?),
            "err" => Err(payload_of::<T>(side, outcome.err.as_ref(), given)?),
            _ => {
                return Err(wrong(format!(
                    "expected {shape} as {{\"ok\": …}} or {{\"err\": …}}, got `{side}`"
                )));
            }
        }))
    })
}

/// Converts `"case"`, or an object with one entry, whose value the closure takes.
fn by_case<V>(
    shape: &Shape,
    json: &mut Reader<'_>,
    convert: impl FnOnce(&str, Option<&mut Reader<'_>>) -> Lowered<V>,
) -> Lowered<V> {
    if json.peek() == b'"' {
        return convert(&text(shape, json)?, None);
    }
    open(shape, json, b'{')?;
    let not_one = || wrong(format!("expected {shape}, got object"));
    if !json.more() {
        return Err(not_one());
    }
    let case = json.key()?;
    let converted = convert(&case, Some(json))?;
    if json.more() {
        return Err(not_one());
    }
    Ok(converted)
}

fn payload_of<T: Target>(
    case: &str,
    shape: Option<&Shape>,
    given: Option<&mut Reader<'_>>,
) -> Lowered<Option<T::Value>> {
    match (shape, given) {
        (None, None) => Ok(None),
        (None, Some(json)) => {
            if json.is_null() {
                return Ok(None);
            }
            Err(wrong(format!("the case `{case}` takes no value")))
        }
        (Some(shape), given) => value::<T>(shape, given.unwrap_or(&mut Reader::null()))
            .map(Some)
            .map_err(|error| at(error, &format!(".{case}"))),
    }
}

fn known_name<'k>(shape: &Shape, known: &'k [String], json: &mut Reader<'_>) -> Lowered<&'k str> {
    let given = text(shape, json)?;
    let found = known.iter().find(|name| same_name(name, &given));
    found
        .map(String::as_str)
        .ok_or_else(|| wrong(format!("expected {shape}, got `{given}`")))
}

fn flags<'k>(shape: &Shape, known: &'k [String], json: &mut Reader<'_>) -> Lowered<Vec<&'k str>> {
    open(shape, json, b'[')?;
    let mut set = Vec::new();
    while json.more() {
        let name = known_name(shape, known, json);
        set.push(name.map_err(|error| at(error, &format!("[{}]", set.len())))?);
    }
    Ok(set)
}
