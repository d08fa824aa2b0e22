//! From JSON text to WIT values, by type, without a tree of values in between; errors say where.
//!
//! Where a value goes is the caller's choice of a [`Target`]: into the sandbox, or nowhere where it is only
//! checked, so that a producer and a worker can't differ. Must not know functions, nor whether a value is an
//! argument.

use crate::encoded::Base64;
use crate::error::{Lowered, Stopped, ValidationError, at, wrong};
use crate::name::same_name;
use crate::reader::Reader;
use crate::scalar::{mismatch, scalar, text};
use crate::shape::{Case, Field, Outcome, Shape};
use crate::target::Target;

/// A conversion that writes to a target.
pub(crate) type Written<T> = Result<(), Stopped<<T as Target>::Error>>;

/// Converts the value that comes next.
pub(crate) fn value<T: Target>(
    shape: &Shape,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    match shape {
        Shape::String => put(target.string(place, &text(shape, json)?)),
        Shape::Bytes if json.peek() != b'[' => bytes(shape, json, target, place),
        Shape::Bytes => items(shape, &Shape::U8, json, target, place),
        Shape::List(item) => items(shape, item, json, target, place),
        Shape::FixedList(item, length) => {
            let shapes = std::iter::repeat_n(&**item, *length as usize);
            exactly(shape, shapes, json, target, place)
        }
        Shape::Record(fields) => record(shape, fields, json, target, place),
        Shape::Tuple(shapes) => exactly(shape, shapes.iter(), json, target, place),
        Shape::Variant(cases) => variant(shape, cases, json, target, place),
        Shape::Enum(known) => {
            let index = known_name(shape, known, json)?;
            put(target.case(place, index).map(drop))
        }
        Shape::Option(inner) => option(shape, inner, json, target, place),
        Shape::Result(outcome) => result(shape, outcome, json, target, place),
        Shape::Flags(known) => put(target.flags(place, &flags(shape, known, json)?)),
        _ => put(target.scalar(place, scalar(shape, json)?)),
    }
}

/// What a target answered.
pub(crate) fn put<V, E>(answer: Result<V, E>) -> Result<V, Stopped<E>> {
    answer.map_err(Stopped::Target)
}

fn bytes<T: Target>(
    shape: &Shape,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    let Some(text) = json.string() else {
        let message = format!("expected {shape} as a base64 string, got {}", json.kind());
        return Err(wrong(message).into());
    };
    target.bytes(place, &Base64::new(text?))
}

fn items<T: Target>(
    shape: &Shape,
    item: &Shape,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    open(shape, json, b'[')?;
    let mut list = put(target.list(place, json.count()))?;
    let mut index = 0;
    while json.more() {
        let next = put(target.item(&mut list))?;
        item_at(index, item, json, target, &next)?;
        index += 1;
    }
    put(target.end(place, list))
}

fn item_at<T: Target>(
    index: usize,
    shape: &Shape,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    value(shape, json, target, place).map_err(|error| error.at(|| format!("[{index}]")))
}

/// An array of as many values as there are shapes.
fn exactly<'s, T: Target>(
    shape: &Shape,
    shapes: impl Iterator<Item = &'s Shape>,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    open(shape, json, b'[')?;
    let mut given = json.clone();
    let mut parts = put(target.parts(place))?;
    for (index, item) in shapes.enumerate() {
        if !json.more() {
            return Err(of_length(shape, &mut given).into());
        }
        let place = put(target.part(&mut parts, index))?;
        item_at(index, item, json, target, &place)?;
    }
    if json.more() {
        return Err(of_length(shape, &mut given).into());
    }
    Ok(())
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
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    open(shape, json, b'{')?;
    let mut parts = put(target.parts(place))?;
    let named = Named {
        place: "",
        what: "field",
        fields,
        first: 0,
    };
    named.fill(json, target, &mut parts, |key| {
        let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        wrong(format!(
            "unknown field `{key}`; the fields are {}",
            known.join(", ")
        ))
    })
}

/// Null is `none`. Where the inside is an option too, `some` is `{"some": …}`, since null would be ambiguous.
fn option<T: Target>(
    shape: &Shape,
    inner: &Shape,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    if json.is_null() {
        return put(target.case(place, 0).map(drop));
    }
    let some = put(target.case(place, 1))?;
    if !matches!(inner, Shape::Option(_)) {
        return value(inner, json, target, &some);
    }
    let wrapped = || wrong(format!("expected {shape} as null or {{\"some\": …}}"));
    if !json.open(b'{') || !json.more() || json.key()? != "some" {
        return Err(wrapped().into());
    }
    value(inner, json, target, &some).map_err(|error| error.at(|| ".some".into()))?;
    if json.more() {
        return Err(wrapped().into());
    }
    Ok(())
}

fn variant<T: Target>(
    shape: &Shape,
    cases: &[Case],
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    by_case::<T>(shape, json, |name, given| {
        let index = cases.iter().position(|case| same_name(&case.name, name));
        let Some(index) = index else {
            let form = form(cases);
            let message = format!("expected {shape} as {form}, got the case `{name}`");
            return Err(wrong(message).into());
        };
        let payload = cases[index].payload.as_ref();
        payload_of(name, payload, given, target, place, index)
    })
}

/// How a case is written, by the example of one.
fn form(cases: &[Case]) -> String {
    match cases.iter().find(|case| case.payload.is_some()) {
        Some(case) => format!("{{\"{}\": …}}", case.name),
        None => (cases.first()).map_or_else(String::new, |case| format!("\"{}\"", case.name)),
    }
}

fn result<T: Target>(
    shape: &Shape,
    outcome: &Outcome,
    json: &mut Reader<'_>,
    target: &mut T,
    place: &T::Place,
) -> Written<T> {
    by_case::<T>(shape, json, |side, given| {
        let (index, payload) = match side {
            "ok" => (0, &outcome.ok),
            "err" => (1, &outcome.err),
            _ => {
                let message =
                    format!("expected {shape} as {{\"ok\": …}} or {{\"err\": …}}, got `{side}`");
                return Err(wrong(message).into());
            }
        };
        payload_of(side, payload.as_ref(), given, target, place, index)
    })
}

/// Converts `"case"`, or an object with one entry, whose value the closure takes.
fn by_case<T: Target>(
    shape: &Shape,
    json: &mut Reader<'_>,
    convert: impl FnOnce(&str, Option<&mut Reader<'_>>) -> Written<T>,
) -> Written<T> {
    if json.peek() == b'"' {
        return convert(&text(shape, json)?, None);
    }
    open(shape, json, b'{')?;
    let not_one = || wrong(format!("expected {shape}, got object"));
    if !json.more() {
        return Err(not_one().into());
    }
    let case = json.key()?;
    convert(&case, Some(json))?;
    if json.more() {
        return Err(not_one().into());
    }
    Ok(())
}

fn payload_of<T: Target>(
    case: &str,
    shape: Option<&Shape>,
    given: Option<&mut Reader<'_>>,
    target: &mut T,
    place: &T::Place,
    index: usize,
) -> Written<T> {
    let payload = put(target.case(place, index))?;
    match (shape, given) {
        (None, None) => Ok(()),
        (None, Some(json)) => {
            if json.is_null() {
                return Ok(());
            }
            Err(wrong(format!("the case `{case}` takes no value")).into())
        }
        (Some(shape), given) => {
            let mut null = Reader::null();
            let json = given.unwrap_or(&mut null);
            value(shape, json, target, &payload).map_err(|error| error.at(|| format!(".{case}")))
        }
    }
}

fn known_name(shape: &Shape, known: &[String], json: &mut Reader<'_>) -> Lowered<usize> {
    let given = text(shape, json)?;
    let found = known.iter().position(|name| same_name(name, &given));
    found.ok_or_else(|| wrong(format!("expected {shape}, got `{given}`")))
}

fn flags(shape: &Shape, known: &[String], json: &mut Reader<'_>) -> Lowered<Vec<u32>> {
    open(shape, json, b'[')?;
    let mut words = vec![0; known.len().div_ceil(32)];
    let mut given = 0;
    while json.more() {
        let name = known_name(shape, known, json);
        let index = name.map_err(|error| at(error, &format!("[{given}]")))?;
        words[index / 32] |= 1 << (index % 32);
        given += 1;
    }
    Ok(words)
}

/// The fields that an object may give.
pub(crate) struct Named<'a> {
    /// The object's path.
    pub(crate) place: &'a str,
    /// What each of them is called.
    pub(crate) what: &'a str,
    /// Their names and types.
    pub(crate) fields: &'a [Field],
    /// The first one's index among the target's parts.
    pub(crate) first: usize,
}

impl Named<'_> {
    /// Converts the entries of an object that was opened, each to its field's place. A value of an option type may be
    /// left out.
    pub(crate) fn fill<T: Target>(
        &self,
        json: &mut Reader<'_>,
        target: &mut T,
        parts: &mut T::Parts,
        unknown: impl Fn(&str) -> ValidationError,
    ) -> Written<T> {
        let mut given = Given::new(self.fields.len());
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
            if given.mark(index) {
                let message = format!("{} `{}` is given twice", self.what, field.name);
                return Err(at(wrong(message), self.place).into());
            }
            let place = put(target.part(parts, self.first + index))?;
            value(&field.shape, json, target, &place)
                .map_err(|error| error.at(|| format!("{}.{key}", self.place)))?;
            next = index + 1;
        }
        self.leave_out(&given, target, parts)
    }

    fn leave_out<T: Target>(
        &self,
        given: &Given,
        target: &mut T,
        parts: &mut T::Parts,
    ) -> Written<T> {
        for (index, field) in self.fields.iter().enumerate() {
            if given.has(index) {
                continue;
            }
            if !matches!(field.shape, Shape::Option(_)) {
                let message = format!("missing {} `{field}`", self.what);
                return Err(Stopped::Misfit(at(wrong(message), self.place)));
            }
            let place = put(target.part(parts, self.first + index))?;
            put(target.case(&place, 0))?;
        }
        Ok(())
    }
}

/// Which fields were given. Few records have more fields than a word has bits.
enum Given {
    Few(u64),
    Many(Vec<bool>),
}

impl Given {
    fn new(fields: usize) -> Self {
        if fields <= 64 {
            Self::Few(0)
        } else {
            Self::Many(vec![false; fields])
        }
    }

    fn has(&self, index: usize) -> bool {
        match self {
            Self::Few(bits) => bits & (1 << index) != 0,
            Self::Many(given) => given[index],
        }
    }

    /// Whether it was given before.
    fn mark(&mut self, index: usize) -> bool {
        let before = self.has(index);
        match self {
            Self::Few(bits) => *bits |= 1 << index,
            Self::Many(given) => given[index] = true,
        }
        before
    }
}
