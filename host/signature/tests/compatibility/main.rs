//! Whatever [`compatible`] lets pass: arguments that fit the old signature fit the new one, and what the
//! new one returns can be read as what the old one returned.
//!
//! Shapes, changes to them and values are random. Must not know by which rules compatibility is decided.

mod change;
mod shape;
mod value;

use chicory_signature::{Arguments, Kind, Shape, Signature, compatible};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use change::{changed, changed_fields, changed_payload};
use shape::{named, shape};
use value::{seen, value};

fn signature() -> impl Strategy<Value = Signature> {
    (
        prop::collection::vec(shape(), 0..3),
        prop::option::of(shape()),
    )
        .prop_map(|(params, result)| Signature {
            kind: Kind::Function,
            params: named(params),
            result,
        })
}

/// An old signature, a new one, and arguments for the old one.
fn versions() -> impl Strategy<Value = (Signature, Signature, Vec<Value>)> {
    signature().prop_flat_map(|old| {
        let params = changed_fields(&old.params);
        let result = changed_payload(old.result.as_ref());
        let args: Vec<_> = old.params.iter().map(|param| value(&param.shape)).collect();
        (Just(old), params, result, args).prop_map(|(old, params, result, args)| {
            let kind = Kind::Function;
            (
                old,
                Signature {
                    kind,
                    params,
                    result,
                },
                args,
            )
        })
    })
}

/// What is stored where a task returned: of a result, what is in its `ok`.
fn stored(result: &Shape) -> Option<&Shape> {
    match result {
        Shape::Result(outcome) => outcome.ok.as_ref(),
        other => Some(other),
    }
}

fn takes(shape: &Shape, value: &Value) -> Result<(), String> {
    let signature = Signature {
        kind: Kind::Function,
        params: named(vec![shape.clone()]),
        result: None,
    };
    let checked = signature.check(&vec![value.clone()].into());
    checked.map_err(|error| error.to_string())
}

/// The first `count` arguments by position, the others by name.
fn check(
    signature: &Signature,
    known: &Signature,
    args: &[Value],
    count: usize,
) -> Result<(), String> {
    let (by_position, by_name) = args.split_at(count.min(args.len()));
    let names = known.params[by_position.len()..]
        .iter()
        .map(|param| param.name.clone());
    let kwargs = names.zip(by_name.iter().cloned()).collect();
    signature
        .check(&Arguments::new(by_position, &kwargs))
        .map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn arguments_of_the_old_version_fit_the_new_one((old, new, args) in versions(), count in 0..3_usize) {
        prop_assert_eq!(check(&old, &old, &args, count), Ok(()), "{}", old);
        if compatible(&old, &new).is_empty() {
            prop_assert_eq!(check(&new, &old, &args, count), Ok(()), "{} -> {}", old, new);
        }
    }

    #[test]
    fn results_of_the_new_version_are_read_as_the_old_ones(
        (old, new, value) in shape().prop_flat_map(|old| (Just(old.clone()), changed(&old))).prop_flat_map(|(old, new)| {
            let returned = stored(&new).map_or(Just(Value::Null).boxed(), value);
            (Just(old), Just(new), returned)
        })
    ) {
        let returns = |shape: &Shape| Signature { kind: Kind::Function, params: [].into(), result: Some(shape.clone()) };
        if compatible(&returns(&old), &returns(&new)).is_empty()
            && let Some(known) = stored(&old)
        {
            prop_assert_eq!(takes(known, &seen(known, value.clone())), Ok(()), "{} of {} -> {}", value, old, new);
        }
    }

    #[test]
    fn a_signature_is_compatible_with_itself_and_survives_json(signature in signature()) {
        prop_assert_eq!(compatible(&signature, &signature), []);
        let written = serde_json::to_string(&signature).unwrap();
        prop_assert_eq!(serde_json::from_str::<Signature>(&written).unwrap(), signature);
    }
}

/// The properties above would hold if nothing passed.
#[test]
fn both_answers_are_frequent_among_the_changes() {
    let mut runner = TestRunner::deterministic();
    let passed = (0..1_000).filter(|_| {
        let (old, new, _) = versions().new_tree(&mut runner).unwrap().current();
        old != new && compatible(&old, &new).is_empty()
    });
    let passed = passed.count();
    assert!((50..900).contains(&passed), "{passed}");
}
