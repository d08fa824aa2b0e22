//! Random types.
//!
//! Must not know values.

use chicory_signature::{Case, Field, Outcome, Shape};
use proptest::prelude::*;

pub(crate) const NAMES: [&str; 4] = ["a", "max-width", "c", "d"];

pub(crate) fn leaf() -> impl Strategy<Value = Shape> {
    use Shape::{Bool, Bytes, Char, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64};
    prop::sample::select(vec![
        Bool, Bytes, Char, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64,
    ])
}

pub(crate) fn shape() -> BoxedStrategy<Shape> {
    leaf()
        .prop_recursive(3, 12, 3, |inner| {
            let outcome = (
                prop::option::of(inner.clone()),
                prop::option::of(inner.clone()),
            );
            prop_oneof![
                inner.clone().prop_map(|item| list(item, None)),
                inner.clone().prop_map(|item| list(item, Some(2))),
                inner
                    .clone()
                    .prop_map(|shape| Shape::Option(Box::new(shape))),
                prop::collection::vec(inner.clone(), 1..4)
                    .prop_map(|fields| Shape::Record(named(fields))),
                prop::collection::vec(inner.clone(), 1..4)
                    .prop_map(|items| Shape::Tuple(items.into())),
                prop::collection::vec(prop::option::of(inner), 1..4).prop_map(cases),
                (1..4_usize).prop_map(|count| Shape::Enum(some_names(count))),
                (1..4_usize).prop_map(|count| Shape::Flags(some_names(count))),
                outcome.prop_map(|(ok, err)| Shape::Result(Box::new(Outcome { ok, err }))),
            ]
        })
        .boxed()
}

/// As a component's types are read: a list of bytes has a shape of its own.
pub(crate) fn list(item: Shape, length: Option<u32>) -> Shape {
    match (item, length) {
        (Shape::U8, None) => Shape::Bytes,
        (item, None) => Shape::List(Box::new(item)),
        (item, Some(length)) => Shape::FixedList(Box::new(item), length),
    }
}

pub(crate) fn named(shapes: Vec<Shape>) -> Box<[Field]> {
    let name = |(name, shape): (&str, Shape)| Field {
        name: name.to_owned(),
        shape,
    };
    NAMES.into_iter().zip(shapes).map(name).collect()
}

pub(crate) fn cases(payloads: Vec<Option<Shape>>) -> Shape {
    let case = |(name, payload): (&str, Option<Shape>)| Case {
        name: name.to_owned(),
        payload,
    };
    Shape::Variant(NAMES.into_iter().zip(payloads).map(case).collect())
}

pub(crate) fn some_names(count: usize) -> Box<[String]> {
    NAMES.into_iter().take(count).map(str::to_owned).collect()
}
