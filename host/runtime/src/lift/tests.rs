//! Values from JSON and back to JSON are the same, for every type.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::types::Vals;
use chicory_signature::{RawJson, Target, ValidationError};

fn lower<T: Target>(shape: &Shape, value: &Value) -> Result<T::Value, ValidationError> {
    chicory_signature::lower::<T>(shape, &RawJson::from(value))
}

fn round_trip(shape: &Shape, value: &Value) -> Value {
    let val =
        lower::<Vals>(shape, value).unwrap_or_else(|error| panic!("{value} as {shape}: {error}"));
    serde_json::from_str(lift(shape, &val, u64::MAX).expect("no limit").get()).unwrap()
}

fn name(index: usize) -> String {
    format!("name-{index}")
}

/// Types without others inside, with a value for each, in the form in which the host writes it.
fn leaf() -> impl Strategy<Value = (Shape, Value)> {
    prop_oneof![
        any::<bool>().prop_map(|v| (Shape::Bool, json!(v))),
        any::<i8>().prop_map(|v| (Shape::S8, json!(v))),
        any::<u8>().prop_map(|v| (Shape::U8, json!(v))),
        any::<i16>().prop_map(|v| (Shape::S16, json!(v))),
        any::<u16>().prop_map(|v| (Shape::U16, json!(v))),
        any::<i32>().prop_map(|v| (Shape::S32, json!(v))),
        any::<u32>().prop_map(|v| (Shape::U32, json!(v))),
        any::<i64>().prop_map(|v| (Shape::S64, json!(v))),
        any::<u64>().prop_map(|v| (Shape::U64, json!(v))),
        any::<i16>().prop_map(|v| (Shape::F32, json!(f32::from(v) / 2.0))),
        // Of few digits: serde_json reads others to the last bit only with a feature of its own.
        any::<i32>().prop_map(|v| (Shape::F64, json!(f64::from(v) / 8.0))),
        any::<char>().prop_map(|v| (Shape::Char, json!(v))),
        ".*".prop_map(|v| (Shape::String, json!(v))),
        vec(any::<u8>(), 0..20).prop_map(|v| (Shape::Bytes, json!(STANDARD.encode(v)))),
        (1..9usize, 0..9usize)
            .prop_map(|(n, i)| (Shape::Enum((0..n).map(name).collect()), json!(name(i % n)))),
        vec(any::<bool>(), 1..40).prop_map(|set| {
            let on: Vec<_> = (0..set.len()).filter(|i| set[*i]).map(name).collect();
            (Shape::Flags((0..set.len()).map(name).collect()), json!(on))
        }),
    ]
}

/// The same for types that have others inside, too.
fn typed() -> impl Strategy<Value = (Shape, Value)> {
    leaf().prop_recursive(3, 24, 5, |inner| {
        let several = vec(inner.clone(), 1..5);
        prop_oneof![
            (inner.clone(), 0..4usize)
                .prop_map(|((s, v), n)| (Shape::List(Box::new(s)), json!(vec![v; n]))),
            (inner.clone(), 1..4u32).prop_map(|((s, v), n)| (
                Shape::FixedList(Box::new(s), n),
                json!(vec![v; n as usize])
            )),
            several.clone().prop_map(|items| {
                let (shapes, values): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (Shape::Tuple(shapes.into()), json!(values))
            }),
            several.clone().prop_map(record),
            (several, 0..5usize).prop_map(|(items, chosen)| variant(items, chosen)),
            (inner.clone(), any::<bool>()).prop_map(|((s, v), some)| {
                // An option of an option has no JSON of its own: null is the outer none.
                let v = if some { v } else { Value::Null };
                (Shape::Option(Box::new(s)), v)
            }),
            (inner.clone(), inner, any::<bool>()).prop_map(|((ok, a), (err, b), fine)| {
                let value = if fine {
                    json!({"ok": a})
                } else {
                    json!({"err": b})
                };
                (
                    Shape::Result(Box::new(Outcome {
                        ok: Some(ok),
                        err: Some(err),
                    })),
                    value,
                )
            }),
        ]
    })
}

fn record(items: Vec<(Shape, Value)>) -> (Shape, Value) {
    let object: serde_json::Map<_, _> = items
        .iter()
        .enumerate()
        .map(|(i, (_, v))| (name(i), v.clone()))
        .collect();
    let field = |(i, (shape, _))| Field {
        name: name(i),
        shape,
    };
    (
        Shape::Record(items.into_iter().enumerate().map(field).collect()),
        Value::Object(object),
    )
}

fn variant(items: Vec<(Shape, Value)>, chosen: usize) -> (Shape, Value) {
    let chosen = chosen % items.len();
    let value = json!({name(chosen): items[chosen].1});
    let case = |(i, (shape, _))| Case {
        name: name(i),
        payload: Some(shape),
    };
    (
        Shape::Variant(items.into_iter().enumerate().map(case).collect()),
        value,
    )
}

proptest! {
    #[test]
    fn what_is_lowered_is_lifted_the_same((shape, value) in typed()) {
        prop_assert_eq!(round_trip(&shape, &value), value);
    }

    #[test]
    fn any_json_is_converted_or_refused_and_never_panics((shape, _) in typed(), (_, other) in typed()) {
        if let Ok(val) = lower::<Vals>(&shape, &other) {
            prop_assert!(lift(&shape, &val, u64::MAX).is_some());
        }
    }
}

#[test]
fn values_without_payload_are_plain_names() {
    let cases = [Case {
        name: "all-done".into(),
        payload: None,
    }]
    .into();
    let shape = Shape::Variant(cases);
    assert_eq!(round_trip(&shape, &json!("all_done")), json!("all-done"));
    assert_eq!(
        round_trip(&shape, &json!({"all-done": null})),
        json!("all-done")
    );
    let unit = Shape::Result(Box::new(Outcome {
        ok: None,
        err: None,
    }));
    assert_eq!(round_trip(&unit, &json!("ok")), json!({"ok": null}));
    assert_eq!(
        round_trip(&unit, &json!({"err": null})),
        json!({"err": null})
    );
}

#[test]
fn floats_that_json_lacks_are_strings() {
    for text in ["NaN", "Infinity", "-Infinity"] {
        assert_eq!(round_trip(&Shape::F64, &json!(text)), json!(text));
        assert_eq!(round_trip(&Shape::F32, &json!(text)), json!(text));
    }
}

#[test]
fn other_spellings_are_accepted() {
    assert_eq!(round_trip(&Shape::Bytes, &json!([104, 105])), json!("aGk="));
    assert_eq!(round_trip(&Shape::U32, &json!(3.0)), json!(3));
    let field = Field {
        name: "max-width".into(),
        shape: Shape::Option(Box::new(Shape::U32)),
    };
    let record = Shape::Record([field].into());
    assert_eq!(
        round_trip(&record, &json!({"max_width": 7})),
        json!({"max-width": 7})
    );
    assert_eq!(round_trip(&record, &json!({})), json!({"max-width": null}));
}

#[test]
fn what_does_not_fit_is_refused_with_its_path() {
    let size = Field {
        name: "size".into(),
        shape: Shape::Tuple([Shape::U8, Shape::U8].into()),
    };
    let list = Shape::List(Box::new(Shape::Record([size].into())));
    for (value, error) in [
        (
            json!("x"),
            ": expected list<record { size: tuple<u8, u8> }>, got string",
        ),
        (
            json!([{"size": [1, 2]}, {"size": [1, "2"]}]),
            "[1].size[1]: expected u8, got string",
        ),
        (
            json!([{"size": [1, 256]}]),
            "[0].size[1]: expected u8, got 256, which is out of range",
        ),
        (
            json!([{"size": [1.5, 2]}]),
            "[0].size[0]: expected u8, got 1.5, which has a fraction",
        ),
        (
            json!([{"size": [1]}]),
            "[0].size: expected tuple<u8, u8>, got an array of 1",
        ),
        (json!([{}]), "[0]: missing field `size: tuple<u8, u8>`"),
        (
            json!([{"size": [1, 2], "colour": 3}]),
            "[0]: unknown field `colour`; the fields are size",
        ),
    ] {
        assert_eq!(lower::<Vals>(&list, &value).unwrap_err().to_string(), error);
    }
    let huge = lower::<Vals>(&Shape::F32, &json!(1e300)).unwrap_err();
    assert!(huge.message.contains("out of range"), "{huge}");
    let text = lower::<Vals>(&Shape::Bytes, &json!("not base64!")).unwrap_err();
    assert!(
        text.message.starts_with("expected list<u8> as base64: "),
        "{text}"
    );
    assert!(lower::<Vals>(&Shape::Char, &json!("ab")).is_err());
}

#[test]
fn a_result_above_its_limit_is_not_written() {
    let val = Val::String("x".repeat(100));
    assert!(lift(&Shape::String, &val, 102).is_some());
    assert!(lift(&Shape::String, &val, 101).is_none());
}
