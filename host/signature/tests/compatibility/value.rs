//! Random values of a type, and what a reader of another type sees of one.
//!
//! Must not know changes.

use chicory_signature::{Case, Field, Shape, same_name};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A value of this shape, in any of the spellings that are accepted.
pub(crate) fn value(shape: &Shape) -> BoxedStrategy<Value> {
    match shape {
        Shape::List(item) => prop::collection::vec(value(item), 0..3)
            .prop_map(Value::from)
            .boxed(),
        Shape::FixedList(item, length) => prop::collection::vec(value(item), *length as usize)
            .prop_map(Value::from)
            .boxed(),
        Shape::Record(fields) => record(fields),
        Shape::Tuple(items) => {
            let items: Vec<_> = items.iter().map(value).collect();
            items.prop_map(Value::from).boxed()
        }
        Shape::Variant(cases) => one_of(
            cases
                .iter()
                .map(|case| (case.name.as_str(), case.payload.as_ref())),
        ),
        Shape::Enum(known) => prop::sample::select(known.to_vec())
            .prop_map(|name| json!(name))
            .boxed(),
        Shape::Option(inner) => {
            let nested = matches!(**inner, Shape::Option(_));
            let some = value(inner).prop_map(move |some| {
                if nested {
                    json!({ "some": some })
                } else {
                    some
                }
            });
            prop_oneof![Just(Value::Null), some].boxed()
        }
        Shape::Result(outcome) => {
            one_of([("ok", outcome.ok.as_ref()), ("err", outcome.err.as_ref())].into_iter())
        }
        Shape::Flags(known) => prop::sample::subsequence(known.to_vec(), 0..=known.len())
            .prop_map(|set| json!(set))
            .boxed(),
        scalar => self::scalar(scalar),
    }
}

/// A value without others inside.
fn scalar(shape: &Shape) -> BoxedStrategy<Value> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Shape::S8 => integers(-128, 127),
        Shape::U8 => prop_oneof![integers(0, 255), Just(json!(3.0))].boxed(),
        Shape::S16 => integers(i16::MIN.into(), i16::MAX.into()),
        Shape::U16 => integers(0, u16::MAX.into()),
        Shape::S32 => integers(i32::MIN.into(), i32::MAX.into()),
        Shape::U32 => integers(0, u32::MAX.into()),
        Shape::S64 => integers(i64::MIN, i64::MAX),
        Shape::U64 => prop_oneof![
            any::<u64>().prop_map(Value::from),
            any::<u64>().prop_map(|n| json!(n.to_string()))
        ]
        .boxed(),
        Shape::F32 => prop_oneof![
            any::<i16>().prop_map(Value::from),
            Just(json!("NaN")),
            Just(json!(3.4e38))
        ]
        .boxed(),
        Shape::F64 => prop_oneof![
            any::<i64>().prop_map(Value::from),
            Just(json!("-Infinity")),
            Just(json!(1e308))
        ]
        .boxed(),
        Shape::Char => any::<char>().prop_map(|c| json!(c)).boxed(),
        Shape::String => "[a-z]{0,3}".prop_map(Value::from).boxed(),
        Shape::Bytes => prop_oneof![Just(json!("AAE=")), Just(json!([0, 255]))].boxed(),
        other => unreachable!("{other}"),
    }
}

fn integers(least: i64, most: i64) -> BoxedStrategy<Value> {
    prop_oneof![
        Just(json!(least)),
        Just(json!(most)),
        (least..=most).prop_map(|n| json!(n))
    ]
    .boxed()
}

/// A record; its names in either spelling, what is null perhaps left out.
pub(crate) fn record(fields: &[Field]) -> BoxedStrategy<Value> {
    let values: Vec<_> = fields.iter().map(|field| value(&field.shape)).collect();
    let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
    let optional: Vec<_> = fields
        .iter()
        .map(|field| matches!(field.shape, Shape::Option(_)))
        .collect();
    (values, any::<bool>(), any::<bool>())
        .prop_map(move |(values, snake, sparse)| {
            let mut object = Map::new();
            for ((name, optional), value) in names.iter().zip(&optional).zip(values) {
                if !(sparse && *optional && value.is_null()) {
                    let name = if snake {
                        name.replace('-', "_")
                    } else {
                        name.clone()
                    };
                    object.insert(name, value);
                }
            }
            Value::Object(object)
        })
        .boxed()
}

pub(crate) fn one_of<'a>(
    cases: impl Iterator<Item = (&'a str, Option<&'a Shape>)>,
) -> BoxedStrategy<Value> {
    let case = |(name, payload): (&str, Option<&Shape>)| {
        let name = name.to_owned();
        match payload {
            None => prop_oneof![Just(json!(name)), Just(json!({ name: null }))].boxed(),
            Some(shape) => value(shape)
                .prop_map(move |value| json!({ name.clone(): value }))
                .boxed(),
        }
    };
    prop::strategy::Union::new(cases.map(case)).boxed()
}

/// The value as a reader of `old` sees it: without the fields that he does not know.
pub(crate) fn seen(old: &Shape, value: Value) -> Value {
    match (old, value) {
        (Shape::Record(fields), Value::Object(object)) => object
            .into_iter()
            .filter_map(|(key, value)| {
                let field = fields.iter().find(|field| same_name(&field.name, &key))?;
                Some((key, seen(&field.shape, value)))
            })
            .collect(),
        (Shape::List(item) | Shape::FixedList(item, _), Value::Array(items)) => {
            items.into_iter().map(|value| seen(item, value)).collect()
        }
        (Shape::Tuple(shapes), Value::Array(items)) => {
            let items = shapes.iter().zip(items);
            items.map(|(shape, value)| seen(shape, value)).collect()
        }
        (Shape::Option(inner), Value::Object(mut object))
            if matches!(**inner, Shape::Option(_)) =>
        {
            let some = object.remove("some").map(|some| seen(inner, some));
            some.map_or(Value::Null, |some| json!({ "some": some }))
        }
        (Shape::Option(inner), value) if !value.is_null() => seen(inner, value),
        (Shape::Variant(cases), Value::Object(object)) => object
            .into_iter()
            .map(
                |(name, value)| match cases.iter().find(|case| same_name(&case.name, &name)) {
                    Some(Case {
                        payload: Some(shape),
                        ..
                    }) => (name, seen(shape, value)),
                    _ => (name, value),
                },
            )
            .collect(),
        (Shape::Result(outcome), Value::Object(object)) => object
            .into_iter()
            .map(|(side, value)| {
                let shape = if side == "ok" {
                    &outcome.ok
                } else {
                    &outcome.err
                };
                let value = match shape {
                    Some(shape) => seen(shape, value),
                    None => value,
                };
                (side, value)
            })
            .collect(),
        (_, value) => value,
    }
}
