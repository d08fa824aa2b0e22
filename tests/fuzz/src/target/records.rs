//! Records of the registry, as anyone who can write to the broker makes them.

use std::sync::LazyLock;

use chicory_registry::{ModuleRecord, stored};

use super::Target;
use crate::edited::Edited;
use crate::input;
use crate::seeds::seeds;

/// A record is refused, or it can be used, and written and read again.
pub(super) const TARGET: Target = Target {
    name: "records",
    check_seeds,
    run,
};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds("records"));

fn check_seeds() {
    for seed in &*SEEDS {
        stored::read::<ModuleRecord>("a record", seed).expect("a seed is a record");
    }
}

fn run(bytes: &[u8]) {
    if let Some(edited) = input::<Edited>(bytes) {
        check(&edited.bytes(&SEEDS));
    }
}

fn check(bytes: &[u8]) {
    let Ok(record) = stored::read::<ModuleRecord>("a record", bytes) else {
        return;
    };
    let written = stored::write("a record", &record).expect("it can be written");
    let again: ModuleRecord =
        stored::read("a record", written.as_bytes()).expect("what was written can be read");
    assert_eq!(again, record);
}
