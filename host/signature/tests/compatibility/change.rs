//! Random changes to types, such as somebody may make in a new version.
//!
//! Must not know which of them are compatible.

use chicory_signature::{Field, Outcome, Shape};
use proptest::prelude::*;

use super::shape::{cases, leaf, list, named, shape, some_names};

/// The shape, or one that somebody may make of it in a new version.
pub(crate) fn changed(old: &Shape) -> BoxedStrategy<Shape> {
    let same = old.clone();
    prop_oneof![
        4 => Just(same.clone()),
        1 => Just(Shape::Option(Box::new(same))),
        2 => leaf(),
        1 => shape(),
        6 => changed_inside(old),
    ]
    .boxed()
}

pub(crate) fn changed_inside(old: &Shape) -> BoxedStrategy<Shape> {
    match old {
        Shape::List(item) => changed(item).prop_map(|item| list(item, None)).boxed(),
        Shape::FixedList(item, length) => {
            let lengths = prop::sample::select(vec![None, Some(*length), Some(length + 1)]);
            (changed(item), lengths)
                .prop_map(|(item, length)| list(item, length))
                .boxed()
        }
        Shape::Option(inner) => prop_oneof![
            changed(inner).prop_map(|inner| Shape::Option(Box::new(inner))),
            changed(inner),
        ]
        .boxed(),
        Shape::Record(fields) => changed_fields(fields).prop_map(Shape::Record).boxed(),
        Shape::Tuple(items) => {
            let items: Vec<_> = items.iter().map(changed).collect();
            items.prop_map(|items| Shape::Tuple(items.into())).boxed()
        }
        Shape::Variant(known) => {
            let known: Vec<_> = known
                .iter()
                .map(|case| changed_payload(case.payload.as_ref()))
                .collect();
            (known, prop::collection::vec(Just(None), 0..2))
                .prop_map(|(known, added)| cases([known, added].concat()))
                .boxed()
        }
        Shape::Enum(_) => (1..5_usize)
            .prop_map(|count| Shape::Enum(some_names(count)))
            .boxed(),
        Shape::Flags(_) => (1..5_usize)
            .prop_map(|count| Shape::Flags(some_names(count)))
            .boxed(),
        Shape::Result(outcome) => (
            changed_payload(outcome.ok.as_ref()),
            changed_payload(outcome.err.as_ref()),
        )
            .prop_map(|(ok, err)| Shape::Result(Box::new(Outcome { ok, err })))
            .boxed(),
        _ => leaf().boxed(),
    }
}

pub(crate) fn changed_payload(old: Option<&Shape>) -> BoxedStrategy<Option<Shape>> {
    match old {
        None => prop_oneof![3 => Just(None), 1 => leaf().prop_map(Some)].boxed(),
        Some(shape) => prop_oneof![1 => Just(None), 6 => changed(shape).prop_map(Some)].boxed(),
    }
}

/// Fields changed, and perhaps one more, or one less, or two in the other order.
pub(crate) fn changed_fields(old: &[Field]) -> BoxedStrategy<Box<[Field]>> {
    let shapes: Vec<_> = old.iter().map(|field| changed(&field.shape)).collect();
    let added = prop_oneof![
        4 => Just(None),
        2 => leaf().prop_map(|inner| Some(Shape::Option(Box::new(inner)))),
        1 => leaf().prop_map(Some),
    ];
    (shapes, added, 0..12_u8)
        .prop_map(|(mut shapes, added, luck)| {
            shapes.extend(added);
            if luck == 0 {
                shapes.pop();
            }
            let mut fields = named(shapes);
            if luck == 1 {
                fields.reverse();
            }
            fields
        })
        .boxed()
}
