//! Whether a new version of a task accepts what the old one accepted, and returns what it returned.
//!
//! The rule for parameters: arguments that fit the old signature fit the new one, by position and by name. For
//! results: a reader of the old version's results can read the new version's, if it ignores unknown fields.
//! Conservative: what isn't known to be safe counts as a change. Must not know values.

use std::collections::BTreeMap;
use std::fmt;

use crate::name::{Meaning, find_task, meaning, same_name, shown_names};
use crate::shape::{Case, Field, Outcome, Shape};
use crate::signature::{Kind, Signature};

/// A difference because of which messages made for the old version may not fit the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, such as parameter `width`; preceded by the task's name when several tasks are compared.
    pub place: String,
    /// What is there now, and what was there.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.what)
    }
}

/// What is incompatible between the tasks of two versions, by their full names. New tasks are always compatible, unless
/// a short name means several tasks because of them.
pub fn compare(
    old: &BTreeMap<String, Signature>,
    new: &BTreeMap<String, Signature>,
) -> Vec<Change> {
    let shown = shown_names(old.keys().map(String::as_str));
    let tasks = old.iter().zip(&shown);
    let changes = tasks.flat_map(|((full, before), name)| {
        let mut changes = ambiguous(name, new);
        // A message may have either name.
        let mut found: Vec<_> = [full, &**name]
            .iter()
            .filter_map(|name| find_task(new, name))
            .collect();
        found.dedup_by_key(|(now, _)| *now);
        if found.is_empty() && changes.is_empty() {
            changes.push(change(format!("task `{name}`"), "is gone"));
        }
        for (_, now) in found {
            let inside = compatible(before, now).into_iter();
            changes.extend(inside.map(|change| Change {
                place: format!("task `{name}`: {}", change.place),
                ..change
            }));
        }
        changes
    });
    changes.collect()
}

/// That a name means several tasks now.
fn ambiguous(name: &str, new: &BTreeMap<String, Signature>) -> Vec<Change> {
    match meaning(new.keys().map(String::as_str), name) {
        Meaning::Ambiguous(tasks) => {
            let what = format!("means several tasks now: {}", tasks.join(", "));
            vec![change(format!("task `{name}`"), what)]
        }
        _ => Vec::new(),
    }
}

/// What is incompatible between two signatures of a task; nothing if the new one can replace the old one.
pub fn compatible(old: &Signature, new: &Signature) -> Vec<Change> {
    if old.kind != new.kind {
        let name = |kind| match kind {
            Kind::Function => "a function",
            Kind::Command => "a command",
        };
        let what = format!("is {} now, was {}", name(new.kind), name(old.kind));
        return vec![change("it", what)];
    }
    let mut changes = params(&old.params, &new.params);
    match (&old.result, &new.result) {
        (None, _) => {}
        (Some(before), Some(now)) if returns(before, now) => {}
        (Some(before), now) => {
            let now = now.as_ref().map_or("nothing".to_owned(), Shape::to_string);
            changes.push(change("the result", format!("is {now} now, was {before}")));
        }
    }
    changes
}

fn change(place: impl Into<String>, what: impl Into<String>) -> Change {
    Change {
        place: place.into(),
        what: what.into(),
    }
}

fn params(old: &[Field], new: &[Field]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (index, before) in old.iter().enumerate() {
        let place = format!("parameter `{}`", before.name);
        match new.get(index) {
            None => changes.push(change(place, "is gone")),
            // An argument by position would get another meaning; one by name wouldn't be found.
            Some(now) if !same_name(&now.name, &before.name) => {
                changes.push(change(place, format!("is called `{}` now", now.name)));
            }
            Some(now) if !takes(&before.shape, &now.shape) => {
                let what = format!("is {} now, was {}", now.shape, before.shape);
                changes.push(change(place, what));
            }
            Some(_) => {}
        }
    }
    for added in new.iter().skip(old.len()) {
        if !matches!(added.shape, Shape::Option(_)) {
            let place = format!("parameter `{}: {}`", added.name, added.shape);
            changes.push(change(place, "is new, and not an option"));
        }
    }
    changes
}

/// Whether every JSON value that fits `old` fits `new`.
fn takes(old: &Shape, new: &Shape) -> bool {
    if widens(old, new) {
        return true;
    }
    match (old, new) {
        (Shape::List(old) | Shape::FixedList(old, _), Shape::List(new)) => takes(old, new),
        (Shape::Option(old), Shape::Option(new)) => wrapped_alike(old, new) && takes(old, new),
        (Shape::FixedList(old, length), Shape::FixedList(new, same)) => {
            length == same && takes(old, new)
        }
        (Shape::Tuple(old), Shape::Tuple(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| takes(old, new))
        }
        (Shape::Record(old), Shape::Record(new)) => takes_record(old, new),
        (Shape::Variant(old), Shape::Variant(new)) => old.iter().all(|case| takes_case(case, new)),
        (Shape::Enum(old), Shape::Enum(new)) | (Shape::Flags(old), Shape::Flags(new)) => {
            has_all(new, old)
        }
        // Null means `none`, so a type that accepted null would now read it differently; and the `some` of an option
        // in an option is wrapped.
        (old, Shape::Option(new)) => !takes_null(old) && !takes_null(new) && takes(old, new),
        (Shape::Result(old), Shape::Result(new)) => takes_outcome(old, new),
        _ => false,
    }
}

fn takes_null(shape: &Shape) -> bool {
    matches!(shape, Shape::Option(_))
}

/// Whether options of these are written alike: as the value, or as `{"some": …}` around another option.
fn wrapped_alike(old: &Shape, new: &Shape) -> bool {
    takes_null(old) == takes_null(new)
}

fn takes_record(old: &[Field], new: &[Field]) -> bool {
    let find = |fields: &[Field], name: &str| {
        let found = fields.iter().find(|field| same_name(&field.name, name));
        found.map(|field| field.shape.clone())
    };
    let kept = old
        .iter()
        .all(|field| find(new, &field.name).is_some_and(|now| takes(&field.shape, &now)));
    let added = new
        .iter()
        .filter(|field| find(old, &field.name).is_none())
        .all(|field| matches!(field.shape, Shape::Option(_)));
    kept && added
}

fn takes_case(old: &Case, new: &[Case]) -> bool {
    let found = new.iter().find(|case| same_name(&case.name, &old.name));
    found.is_some_and(|now| takes_payload(old.payload.as_ref(), now.payload.as_ref()))
}

fn takes_payload(old: Option<&Shape>, new: Option<&Shape>) -> bool {
    match (old, new) {
        (None, None | Some(Shape::Option(_))) => true,
        (Some(old), Some(new)) => takes(old, new),
        _ => false,
    }
}

fn takes_outcome(old: &Outcome, new: &Outcome) -> bool {
    takes_payload(old.ok.as_ref(), new.ok.as_ref())
        && takes_payload(old.err.as_ref(), new.err.as_ref())
}

fn has_all(all: &[String], some: &[String]) -> bool {
    some.iter()
        .all(|one| all.iter().any(|name| same_name(name, one)))
}

/// Whether a reader of results of type `old` can read results of type `new`. Only the `ok` of a WIT `result` is
/// stored; an error is stored as text.
fn returns(old: &Shape, new: &Shape) -> bool {
    let stored = |shape: &Shape| match shape {
        Shape::Result(outcome) => outcome.ok.clone(),
        other => Some(other.clone()),
    };
    match (stored(old), stored(new)) {
        (None, _) => true,
        (Some(old), Some(new)) => reads(&old, &new),
        (Some(old), None) => takes_null(&old),
    }
}

/// Whether a reader of values of `old` can read those of `new`. Names are written as they are in WIT, so a reader
/// doesn't recognise one whose case has changed.
fn reads(old: &Shape, new: &Shape) -> bool {
    if widens(new, old) {
        return true;
    }
    match (old, new) {
        (Shape::List(old), Shape::List(new) | Shape::FixedList(new, _)) => reads(old, new),
        (Shape::Option(old), Shape::Option(new)) => wrapped_alike(old, new) && reads(old, new),
        (Shape::FixedList(old, length), Shape::FixedList(new, same)) => {
            length == same && reads(old, new)
        }
        (Shape::Tuple(old), Shape::Tuple(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| reads(old, new))
        }
        (Shape::Record(old), Shape::Record(new)) => old.iter().all(|field| {
            let found = new.iter().find(|now| now.name == field.name);
            found.is_some_and(|now| reads(&field.shape, &now.shape))
        }),
        (Shape::Variant(old), Shape::Variant(new)) => new.iter().all(|case| {
            let found = old.iter().find(|known| known.name == case.name);
            found.is_some_and(|known| reads_payload(known.payload.as_ref(), case.payload.as_ref()))
        }),
        (Shape::Enum(old), Shape::Enum(new)) | (Shape::Flags(old), Shape::Flags(new)) => {
            new.iter().all(|name| old.contains(name))
        }
        (Shape::Option(old), new) => !takes_null(old) && reads(old, new),
        (Shape::Result(old), Shape::Result(new)) => {
            reads_payload(old.ok.as_ref(), new.ok.as_ref())
                && reads_payload(old.err.as_ref(), new.err.as_ref())
        }
        _ => false,
    }
}

fn reads_payload(old: Option<&Shape>, new: Option<&Shape>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => reads(old, new),
        _ => false,
    }
}

/// Whether every value of `narrow` is also one of `wide`. Looks only at the types themselves, not inside them.
fn widens(narrow: &Shape, wide: &Shape) -> bool {
    use Shape::{Bytes, Char, F32, F64, List, S8, S16, S32, S64, String, U8, U16, U32, U64};
    match (narrow, wide) {
        (narrow, wide) if narrow == wide => true,
        (U8, U16 | U32 | U64 | S16 | S32 | S64 | F32 | F64)
        | (S8, S16 | S32 | S64 | F32 | F64)
        | (U16, U32 | U64 | S32 | S64 | F32 | F64)
        | (S16, S32 | S64 | F32 | F64)
        | (U32, U64 | S64 | F64)
        | (S32, S64 | F64)
        | (F32, F64)
        | (Char, String) => true,
        // An array of numbers is accepted as bytes, but bytes are written as base64, which no list accepts.
        (List(item), Bytes) => **item == U8,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, shape: Shape) -> Field {
        Field {
            name: name.into(),
            shape,
        }
    }

    fn function(params: Vec<Field>, result: Option<Shape>) -> Signature {
        Signature {
            kind: Kind::Function,
            params: params.into(),
            result,
        }
    }

    fn option(shape: Shape) -> Shape {
        Shape::Option(Box::new(shape))
    }

    fn said(old: &Signature, new: &Signature) -> Vec<String> {
        compatible(old, new)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_takes_more_is_compatible() {
        let old = function(vec![field("width", Shape::U8)], Some(Shape::U32));
        for new in [
            old.clone(),
            function(vec![field("width", Shape::U32)], Some(Shape::U32)),
            function(vec![field("width", option(Shape::U8))], Some(Shape::U16)),
            function(
                vec![
                    field("width", Shape::U8),
                    field("label", option(Shape::String)),
                ],
                Some(Shape::U32),
            ),
        ] {
            assert_eq!(said(&old, &new), [""; 0], "{new}");
        }
    }

    #[test]
    fn what_takes_less_is_named() {
        let old = function(
            vec![field("width", Shape::U32), field("label", Shape::String)],
            Some(Shape::U32),
        );
        let new = function(
            vec![
                field("width", Shape::U8),
                field("title", Shape::String),
                field("more", Shape::Bool),
            ],
            None,
        );
        assert_eq!(
            said(&old, &new),
            [
                "parameter `width` is u8 now, was u32",
                "parameter `label` is called `title` now",
                "parameter `more: bool` is new, and not an option",
                "the result is nothing now, was u32",
            ]
        );
        let gone = compare(&BTreeMap::from([("f".into(), old)]), &BTreeMap::new());
        assert_eq!(gone[0].to_string(), "task `f` is gone");
    }

    #[test]
    fn a_failure_is_no_result() {
        let outcome = |ok: Shape, err: Shape| {
            let (ok, err) = (Some(ok), Some(err));
            Shape::Result(Box::new(Outcome { ok, err }))
        };
        let text = || outcome(Shape::U32, Shape::String);
        let number = || outcome(Shape::U32, Shape::U8);
        assert!(returns(&text(), &number()) && returns(&Shape::U32, &text()));
        let list = |item| Shape::List(Box::new(item));
        assert!(!returns(&list(text()), &list(number())), "seen as it is");
    }

    #[test]
    fn records_may_gain_options_and_enums_cases() {
        let record = |fields| Shape::Record(Vec::into_boxed_slice(fields));
        let one = record(vec![field("x", Shape::U8)]);
        let more = record(vec![field("y", option(Shape::U8)), field("x", Shape::U16)]);
        let strict = record(vec![field("x", Shape::U8), field("y", Shape::U8)]);
        assert!(takes(&one, &more) && !takes(&one, &strict) && !takes(&more, &one));
        assert!(
            reads(&one, &strict),
            "a reader passes over what he does not know"
        );
        assert!(!reads(&strict, &one));
        let names = |names: &[&str]| Shape::Enum(names.iter().map(|name| (*name).into()).collect());
        assert!(takes(&names(&["a"]), &names(&["a", "b"])));
        assert!(!reads(&names(&["a"]), &names(&["a", "b"])));
    }
}
