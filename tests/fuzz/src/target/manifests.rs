//! Manifests, as a module's author writes them.

use std::sync::LazyLock;

use chicory_worker::Manifest;

use super::Target;
use crate::edited::Edited;
use crate::input;
use crate::seeds::seeds;

/// A module without anything: `Manifest::of` also reads what the module says about itself.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// A manifest is refused, or it and its settings can be written and read again.
pub(super) const TARGET: Target = Target {
    name: "manifests",
    check_seeds,
    run,
};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds("manifests"));

fn check_seeds() {
    for seed in &*SEEDS {
        let text = std::str::from_utf8(seed).expect("a seed is text");
        Manifest::of(EMPTY, text).expect("a seed is a manifest");
    }
}

fn run(bytes: &[u8]) {
    if let Some(edited) = input::<Edited>(bytes) {
        check(&edited.text(&SEEDS));
    }
}

fn check(text: &str) {
    let manifest = match Manifest::of(EMPTY, text) {
        Ok(manifest) => manifest,
        Err(error) => {
            let said = error.to_string();
            assert!(
                said.len() <= text.len() * 2 + 4096,
                "an error of {} bytes",
                said.len()
            );
            return;
        }
    };
    let written = serde_json::to_string(&manifest).expect("it can be written");
    let again: Manifest = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, manifest);
    let _ = manifest.settings();
    for retry in [&manifest.retry]
        .into_iter()
        .chain(manifest.tasks.values().map(|task| &task.retry))
        .flatten()
    {
        assert!(retry.delay(u32::MAX, "id").as_secs_f64() <= retry.max_delay * 1.25);
    }
}
