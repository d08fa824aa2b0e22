//! Random types with a value for each, and random memories.

use chicory_runtime::wasmtime::component::Val;
use chicory_signature::{Case, Field, Outcome, Shape};
use proptest::collection::vec;
use proptest::prelude::*;

/// A type and a value of it.
pub(super) fn typed() -> impl Strategy<Value = (Shape, Val)> {
    shape().prop_flat_map(|shape| {
        let val = val(&shape);
        (Just(shape), val)
    })
}

/// Bytes that are often small, so that pointers, lengths and discriminants in them are sometimes valid.
pub(super) fn memory() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![6 => Just(0_u8), 3 => 0..9_u8, 1 => any::<u8>()];
    vec(byte, 0..512)
}

fn name(index: usize) -> String {
    format!("name-{index}")
}

fn names(count: impl Strategy<Value = usize>) -> impl Strategy<Value = Box<[String]>> {
    count.prop_map(|count| (0..count).map(name).collect())
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            Shape::Bool,
            Shape::S8,
            Shape::U8,
            Shape::S16,
            Shape::U16,
            Shape::S32,
            Shape::U32,
            Shape::S64,
            Shape::U64,
            Shape::F32,
            Shape::F64,
            Shape::Char,
            Shape::String,
            Shape::Bytes,
        ]),
        names(prop_oneof![1..9_usize, Just(300)]).prop_map(Shape::Enum),
        names(1..33_usize).prop_map(Shape::Flags),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let several = vec(inner.clone(), 1..5);
        let maybe = prop::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(list),
            several.clone().prop_map(|items| Shape::Tuple(items.into())),
            several.prop_map(|shapes| {
                let field = |(index, shape)| Field {
                    name: name(index),
                    shape,
                };
                Shape::Record(shapes.into_iter().enumerate().map(field).collect())
            }),
            vec(maybe.clone(), 1..5).prop_map(|payloads| {
                let case = |(index, payload)| Case {
                    name: name(index),
                    payload,
                };
                Shape::Variant(payloads.into_iter().enumerate().map(case).collect())
            }),
            inner.prop_map(|inner| Shape::Option(Box::new(inner))),
            (maybe.clone(), maybe)
                .prop_map(|(ok, err)| Shape::Result(Box::new(Outcome { ok, err }))),
        ]
    })
}

fn list(item: Shape) -> Shape {
    match item {
        Shape::U8 => Shape::Bytes,
        item => Shape::List(Box::new(item)),
    }
}

fn val(shape: &Shape) -> BoxedStrategy<Val> {
    match shape {
        Shape::Bytes => list_of(&Shape::U8, 9),
        Shape::List(item) => list_of(item, 3),
        Shape::Record(fields) => {
            let vals: Vec<_> = fields.iter().map(|field| val(&field.shape)).collect();
            let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
            let record = move |vals: Vec<_>| Val::Record(names.iter().cloned().zip(vals).collect());
            vals.prop_map(record).boxed()
        }
        Shape::Tuple(items) => {
            let vals: Vec<_> = items.iter().map(val).collect();
            vals.prop_map(Val::Tuple).boxed()
        }
        Shape::Variant(cases) => {
            let case = |case: &Case| {
                let name = case.name.clone();
                maybe(case.payload.as_ref())
                    .prop_map(move |val| Val::Variant(name.clone(), val))
                    .boxed()
            };
            prop::strategy::Union::new(cases.iter().map(case)).boxed()
        }
        Shape::Enum(names) => prop::sample::select(names.to_vec())
            .prop_map(Val::Enum)
            .boxed(),
        Shape::Option(inner) => {
            let some = maybe(Some(inner)).prop_map(Val::Option);
            prop_oneof![Just(Val::Option(None)), some].boxed()
        }
        Shape::Result(outcome) => {
            let ok = maybe(outcome.ok.as_ref()).prop_map(|val| Val::Result(Ok(val)));
            let err = maybe(outcome.err.as_ref()).prop_map(|val| Val::Result(Err(val)));
            prop_oneof![ok, err].boxed()
        }
        Shape::Flags(names) => prop::sample::subsequence(names.to_vec(), 0..=names.len())
            .prop_map(Val::Flags)
            .boxed(),
        scalar => self::scalar(scalar),
    }
}

/// A value without others inside.
fn scalar(shape: &Shape) -> BoxedStrategy<Val> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        Shape::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        Shape::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        Shape::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        Shape::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        Shape::U32 => any::<u32>().prop_map(Val::U32).boxed(),
        Shape::S64 => any::<i64>().prop_map(Val::S64).boxed(),
        Shape::U64 => any::<u64>().prop_map(Val::U64).boxed(),
        Shape::F32 => {
            let special = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
            let float =
                prop_oneof![3 => prop::num::f32::NORMAL, 1 => prop::sample::select(special)];
            float.prop_map(Val::Float32).boxed()
        }
        Shape::F64 => {
            let special = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0];
            let float =
                prop_oneof![3 => prop::num::f64::NORMAL, 1 => prop::sample::select(special)];
            float.prop_map(Val::Float64).boxed()
        }
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::String => ".{0,9}".prop_map(Val::String).boxed(),
        other => unreachable!("{other}"),
    }
}

fn list_of(item: &Shape, most: usize) -> BoxedStrategy<Val> {
    vec(val(item), 0..=most).prop_map(Val::List).boxed()
}

fn maybe(shape: Option<&Shape>) -> BoxedStrategy<Option<Box<Val>>> {
    match shape {
        None => Just(None).boxed(),
        Some(shape) => val(shape).prop_map(|val| Some(Box::new(val))).boxed(),
    }
}
