//! Modules whose types are small as a graph, and huge when they are written out.
//!
//! Must not know how types are measured.

use std::fmt::Write as _;

use chicory_testing::Site;
use chicory_testing::components::answering;

use crate::versions::{deploy, write};

/// A component whose one parameter is a record with a long field name, doubled so many times by tuples.
fn bomb(levels: usize, letters: usize) -> String {
    let field = "a".repeat(letters);
    let mut types =
        format!(r#"(type $r (record (field "{field}" u8))) (export $t0 "r" (type $r))"#);
    for level in 1..=levels {
        let inner = level - 1;
        let _ = write!(types, "(type $t{level} (tuple $t{inner} $t{inner}))");
    }
    format!(
        r#"(component {types}
  (core module $m (memory (export "mem") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "f") (param i32)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "x" $t{levels})
    (canon lift (core func $i "f") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))"#
    )
}

/// Case M2: they are refused with the reason, in a text of bounded size, and nothing of them gets into the registry.
#[test]
fn m2_types_that_are_huge_when_written_out_are_refused() {
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    deploy(&site, "fine", &answering(1), &[]).ok();
    for (levels, letters, reason) in [
        (11, 60_000, "a name in its type may have up to 128 bytes"),
        (12, 60_000, "a name in its type may have up to 128 bytes"),
        (11, 100, "bytes of names, and up to 131072 are allowed"),
        (15, 1, "parts, and up to 10000 are allowed"),
    ] {
        let bomb = bomb(levels, letters);
        let refused = deploy(&site, "bomb", &bomb, &[]);
        let said = refused.fails(2);
        assert!(said.contains(reason) && said.len() < 1_000, "{said}");
        let said = site.run(&["inspect", "bomb.wasm"]).fails(1).to_owned();
        assert!(said.contains(reason) && said.len() < 1_000, "{said}");
    }
    let stored: Vec<String> = site.redis.query(&["HKEYS", "chicory:registry:records"]);
    assert_eq!(stored, ["fine"]);
    // A worker that has them in its folder runs the others.
    std::fs::create_dir(site.path("own")).expect("a new folder");
    write(&site, "own/bomb", &bomb(15, 60_000), "");
    write(&site, "own/good", &answering(2), "");
    let worker = site.worker(&["--modules", "own"]);
    let refused = worker.line("refused a module");
    let reason = refused["reason"].as_str().expect("a text");
    assert!(
        reason.contains("up to 128 bytes") && reason.len() < 1_000,
        "{reason}"
    );
    assert_eq!(site.call(&["good.answer"])["result"], 2);
    assert_eq!(site.call(&["fine.answer"])["result"], 1);
}

/// Case M2: a type that is used many times, but isn't large, is deployed and called as ever.
#[test]
fn m2_types_within_the_limits_are_deployed() {
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    deploy(&site, "pairs", &bomb(5, 20), &[]).ok();
    let shown = site.run(&["modules", "show", "pairs"]);
    assert!(shown.ok().contains("pairs.f: func(x: tuple<"), "{shown:?}");
    let bytes: usize = site
        .redis
        .query(&["HSTRLEN", "chicory:registry:records", "pairs"]);
    assert!(bytes < 1 << 20, "{bytes}");
}
