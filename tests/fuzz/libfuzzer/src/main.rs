//! libFuzzer over one target, named by the variable `FUZZ_TARGET`.
#![no_main]

use std::sync::LazyLock;

use chicory_fuzz::{Target, all};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let named = all().iter().find(|target| target.name == name);
    named.unwrap_or_else(|| {
        let names: Vec<_> = all().iter().map(|target| target.name).collect();
        eprintln!(
            "FUZZ_TARGET is `{name}`; the targets are {}",
            names.join(", ")
        );
        std::process::exit(2)
    })
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
