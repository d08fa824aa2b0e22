//! Components for the linker of `chicory build`.

use std::sync::LazyLock;

use chicory_link::{Linking, link};
use wasmparser::{Validator, WasmFeatures};

use super::Target;
use crate::edited::Edited;
use crate::input;
use crate::seeds::seeds;

/// What is linked is valid, and linking it again changes nothing.
pub(super) const TARGET: Target = Target {
    name: "linker",
    check_seeds,
    run,
};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds("modules"));

fn check_seeds() {
    let mut linked = SEEDS.iter().map(|seed| link(seed));
    let links = linked.any(|linked| matches!(linked, Ok(Linking::Linked { .. })));
    assert!(links, "a seed has something to link");
}

fn run(bytes: &[u8]) {
    if let Some(edited) = input::<Edited>(bytes) {
        check(&edited.bytes(&SEEDS));
    }
}

fn check(wasm: &[u8]) {
    let Ok(Linking::Linked { component, .. }) = link(wasm) else {
        return;
    };
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator
        .validate_all(&component)
        .expect("what is linked is valid");
}
