//! Arguments against signatures: both come from outside, the signature from a module or a registry.

use std::sync::LazyLock;

use chicory_signature::{Arguments, RawJson, Signature, compatible};
use serde::Deserialize;
use serde_json::Value;

use super::Target;
use crate::edited::Edited;
use crate::input;
use crate::seeds::seeds;

/// A signature and a call of it, in one file.
#[derive(Deserialize)]
struct Call {
    signature: Signature,
    #[serde(default)]
    args: Value,
    #[serde(default)]
    kwargs: Value,
}

/// The check has an answer for any arguments and any signature that can be read, a stored signature accepts what it
/// accepted before, and so does a newer one that is said to be compatible.
pub(super) const TARGET: Target = Target {
    name: "signatures",
    check_seeds,
    run,
};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds("signatures"));

fn check_seeds() {
    for seed in &*SEEDS {
        let call: Call = serde_json::from_slice(seed).expect("a seed is a call");
        let arguments = arguments(&call).expect("of arguments");
        call.signature.check(&arguments).expect("that fit");
    }
}

fn run(bytes: &[u8]) {
    if let Some((call, newer)) = input::<(Edited, Edited)>(bytes) {
        check(&call.bytes(&SEEDS), &newer.bytes(&SEEDS));
    }
}

fn check(call: &[u8], newer: &[u8]) {
    let Ok(call) = serde_json::from_slice::<Call>(call) else {
        return;
    };
    let stored = serde_json::to_string(&call.signature).unwrap();
    let again: Signature = serde_json::from_str(&stored).expect("what was written can be read");
    assert_eq!(again, call.signature);
    let Some(arguments) = arguments(&call) else {
        return;
    };
    let answer = call.signature.check(&arguments);
    assert_eq!(again.check(&arguments).is_ok(), answer.is_ok());
    if let Err(error) = &answer {
        let said = error.to_string();
        assert!(said.len() < 4096, "an error of {} bytes", said.len());
    }
    if let Ok(newer) = serde_json::from_slice::<Call>(newer)
        && compatible(&call.signature, &newer.signature).is_empty()
        && answer.is_ok()
    {
        let answer = newer.signature.check(&arguments);
        assert!(answer.is_ok(), "a compatible version refuses: {answer:?}");
    }
    let _ = call.signature.to_string();
}

fn arguments(call: &Call) -> Option<Arguments> {
    let mut arguments = Arguments::default();
    if !call.args.is_null() {
        arguments.set_args(RawJson::of(&call.args).ok()?).ok()?;
    }
    if !call.kwargs.is_null() {
        arguments.set_kwargs(RawJson::of(&call.kwargs).ok()?).ok()?;
    }
    Some(arguments)
}
