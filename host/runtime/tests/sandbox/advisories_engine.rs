//! wasmtime's advisories of 2025 and 2026 about running guests, each as the guest that would show it: none of them may
//! do more than fail by itself.
//!
//! Those about Winch, aarch64 and a cloned `Linker` concern nothing that this host uses.

use chicory_runtime::{Ended, How, LoadError, Sandbox};
use serde_json::{Value, json};

use crate::guests::{call, load, plain, returned, run, sandbox};

async fn called(sandbox: &Sandbox, text: &str, task: &str, args: Value) -> Ended {
    let module = load(sandbox, text, json!({})).await.unwrap();
    call(sandbox, &module, task, args, json!({})).await
}

async fn refused(text: &str) -> LoadError {
    load(&sandbox(), text, json!({})).await.unwrap_err()
}

/// A component around one core function without parameters that returns this type.
fn returning(ty: &str, core: &str) -> String {
    format!(
        r#"(component (core module $m {core}) (core instance $i (instantiate $m))
          (type $t {ty}) (export $e "t" (type $t))
          (func (export "go") (result $e) (canon lift (core func $i "go"))))"#
    )
}

/// RUSTSEC-2026-0006 and RUSTSEC-2026-0087: a load of 8 bytes became one of 16, across the end of the memory.
#[tokio::test]
async fn rustsec_2026_0006_0087_loads_at_the_end_of_a_memory_stay_inside() {
    let core = r#"(memory 1)
        (func (export "go") (result f64)
          (f64.store (i32.const 65528) (f64.const -2.5))
          (f64.add
            (f64.copysign (f64.const 4) (f64.load (i32.const 65528)))
            (f64x2.extract_lane 1 (f64x2.splat (f64.load (i32.const 65528))))))"#;
    let text = format!(
        r#"(component (core module $m {core}) (core instance $i (instantiate $m))
          (func (export "go") (result f64) (canon lift (core func $i "go"))))"#
    );
    let ended = called(&sandbox(), &text, "go", json!([])).await;
    assert_eq!(returned(&ended), json!(-6.5));
}

/// RUSTSEC-2026-0085: flags with bits that have no name made the host panic.
#[tokio::test]
async fn rustsec_2026_0085_flags_without_a_name_are_ignored() {
    let core = r#"(func (export "go") (result i32) (i32.const -1))"#;
    let text = returning(r#"(flags "a" "b" "c")"#, core);
    let ended = called(&sandbox(), &text, "go", json!([])).await;
    assert_eq!(returned(&ended), json!(["a", "b", "c"]));
}

/// RUSTSEC-2026-0088: a guest saw what another had left in a memory of the pool.
#[tokio::test]
async fn rustsec_2026_0088_a_memory_of_the_pool_is_empty() {
    let sandbox = sandbox();
    let leaves = |pages: u32| {
        let core = format!(
            r#"(memory {pages} 64)
            (func (export "leave")
              (drop (memory.grow (i32.const 40)))
              (memory.fill (i32.const 0) (i32.const 7) (i32.mul (memory.size) (i32.const 65536))))"#
        );
        plain(&core, &["leave"])
    };
    let looks = |pages: u32| {
        let core = format!(
            r#"(memory {pages} 64)
            (func (export "look") (local $at i32)
              (drop (memory.grow (i32.const 40)))
              (loop $again
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $again (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536))))))"#
        );
        plain(&core, &["look"])
    };
    for pages in [0, 1, 20] {
        for _ in 0..6 {
            let ended = called(&sandbox, &leaves(pages), "leave", json!([])).await;
            assert!(matches!(ended.how, How::Returned(_)), "{ended:?}");
            let ended = called(&sandbox, &looks(1), "look", json!([])).await;
            assert!(matches!(ended.how, How::Returned(_)), "{ended:?}");
        }
    }
}

/// Two components in one, of which one gives the other a text: `go(at, length)` says where the text is.
fn texts(from: &str, to: &str, realloc: i32) -> String {
    format!(
        r#"(component
  (component $callee
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {realloc}))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "text" string)
      (canon lift (core func $i "take") (memory (core memory $i "memory"))
        (realloc (core func $i "realloc")) string-encoding={to})))
  (component $caller
    (import "take" (func $take (param "text" string)))
    (core module $libc (memory (export "memory") 1))
    (core instance $libc (instantiate $libc))
    (core func $lowered
      (canon lower (func $take) (memory (core memory $libc "memory")) string-encoding={from}))
    (core module $m
      (import "host" "take" (func $take (param i32 i32)))
      (func (export "go") (param i32 i32) (call $take (local.get 0) (local.get 1))))
    (core instance $i (instantiate $m
      (with "host" (instance (export "take" (func $lowered))))))
    (func (export "go") (param "at" u32) (param "length" u32) (canon lift (core func $i "go"))))
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "take" (func $callee "take"))))
  (export "go" (func $caller "go")))"#
    )
}

/// RUSTSEC-2026-0091, 0092, 0093 and RUSTSEC-2025-0112: texts between components in other encodings, at places that
/// are misaligned or outside of a memory, crashed the host or were read and written outside.
#[tokio::test]
async fn rustsec_2026_0091_0092_0093_texts_between_components_stay_inside() {
    let sandbox = sandbox();
    let encodings = ["utf8", "utf16", "latin1+utf16"];
    let pairs = encodings
        .iter()
        .flat_map(|from| encodings.map(|to| (*from, to)));
    for (from, to) in pairs {
        for realloc in [0, 1, 3, 65_535, -2] {
            let module = load(&sandbox, &texts(from, to, realloc), json!({}))
                .await
                .unwrap();
            for (at, length) in [
                (0_u32, 8_u32),
                (1, 9),
                (65_534, 2),
                (65_535, 1),
                (65_530, 100),
                (u32::MAX, u32::MAX),
                (0, 0x8000_0001),
                (0, 0x7fff_ffff),
            ] {
                let ended = call(&sandbox, &module, "go", json!([at, length]), json!({})).await;
                assert!(
                    matches!(ended.how, How::Returned(_) | How::Trapped { .. }),
                    "{from} to {to} by {realloc} at {at}: {ended:?}"
                );
            }
            let outside = call(&sandbox, &module, "go", json!([65_530, 100]), json!({})).await;
            assert!(matches!(outside.how, How::Trapped { .. }), "{outside:?}");
        }
    }
}

/// RUSTSEC-2026-0114: a table larger than the address space made the host panic.
#[tokio::test]
async fn rustsec_2026_0114_a_table_that_cannot_be_is_refused() {
    for table in [
        "4294967295 funcref",
        "i64 0x7fffffffffffffff funcref",
        "100000000 externref",
    ] {
        let text = plain(&format!("(table {table}) (func (export \"go\"))"), &["go"]);
        let sandbox = sandbox();
        match load(&sandbox, &text, json!({})).await {
            Err(
                LoadError::Invalid { .. } | LoadError::TooComplex { .. } | LoadError::NoRoom { .. },
            ) => {}
            Err(refused) => panic!("{refused:?}"),
            Ok(module) => {
                let ended = call(&sandbox, &module, "go", json!([]), json!({})).await;
                assert!(
                    matches!(ended.how, How::OutOfMemory { .. } | How::Trapped { .. }),
                    "{ended:?}"
                );
            }
        }
    }
}

/// RUSTSEC-2025-0118: a shared memory could change while the host read it. No guest has one.
#[tokio::test]
async fn rustsec_2025_0118_a_shared_memory_is_refused() {
    let refused = refused(&plain(
        "(memory 1 1 shared) (func (export \"go\"))",
        &["go"],
    ))
    .await;
    assert!(matches!(refused, LoadError::Invalid { .. }), "{refused:?}");
}

/// RUSTSEC-2026-0223: a guest that was interrupted in the middle of a bulk operation left the engine in a broken state.
#[tokio::test]
async fn rustsec_2026_0223_bulk_operations_are_interrupted_cleanly() {
    let sandbox = sandbox();
    let text = plain(
        r#"(memory 512) (table 50000 funcref) (elem declare func $f) (func $f)
        (func (export "bulk") (loop $again
          (memory.fill (i32.const 0) (i32.const 7) (i32.const 33554432))
          (memory.copy (i32.const 1) (i32.const 0) (i32.const 33554431))
          (table.fill 0 (i32.const 0) (ref.func $f) (i32.const 50000))
          (table.copy (i32.const 1) (i32.const 0) (i32.const 49999))
          (br $again)))
        (func (export "trap") (loop $again
          (memory.fill (i32.const 0) (i32.const 7) (i32.const 33554433)) (br $again)))
        (func (export "fine"))"#,
        &["bulk", "trap", "fine"],
    );
    let limits = json!({"limits": {"timeout": 0.1}});
    let module = load(&sandbox, &text, limits).await.unwrap();
    for _ in 0..3 {
        let bulk = call(&sandbox, &module, "bulk", json!([]), json!({})).await;
        assert!(matches!(bulk.how, How::TimedOut { .. }), "{bulk:?}");
        let trap = call(&sandbox, &module, "trap", json!([]), json!({})).await;
        assert!(matches!(trap.how, How::Trapped { .. }), "{trap:?}");
        let fine = call(&sandbox, &module, "fine", json!([]), json!({})).await;
        assert!(matches!(fine.how, How::Returned(_)), "{fine:?}");
    }
}

/// RUSTSEC-2026-0222: a store of one engine took types of another. Modules get engines by what they need, and run side
/// by side.
#[tokio::test]
async fn rustsec_2026_0222_modules_of_several_engines_run_side_by_side() {
    let sandbox = sandbox();
    let text = plain(
        r#"(type $a (func)) (type $b (func (param i32)))
        (table 2 funcref) (elem (i32.const 0) $f $g)
        (func $f (type $a)) (func $g (type $b))
        (func (export "right") (call_indirect (type $a) (i32.const 0)))
        (func (export "wrong") (call_indirect (type $a) (i32.const 1)))"#,
        &["right", "wrong"],
    );
    let with_fuel = json!({"limits": {"fuel": 1_000_000}});
    let modules = [
        load(&sandbox, &text, json!({})).await.unwrap(),
        load(&sandbox, &text, with_fuel).await.unwrap(),
    ];
    for module in modules.iter().cycle().take(20) {
        let right = call(&sandbox, module, "right", json!([]), json!({})).await;
        assert!(matches!(right.how, How::Returned(_)), "{right:?}");
        let wrong = call(&sandbox, module, "wrong", json!([]), json!({})).await;
        assert!(matches!(wrong.how, How::Trapped { .. }), "{wrong:?}");
    }
}

/// Handles of a component's own resources are in the host's memory. wasmtime counts them since RUSTSEC-2026-0020.
#[tokio::test]
async fn rustsec_2026_0020_handles_of_a_guests_own_resources_are_counted() {
    let text = r#"(component
      (type $r (resource (rep i32)))
      (core func $new (canon resource.new $r))
      (core module $m
        (import "host" "new" (func $new (param i32) (result i32)))
        (func (export "hoard") (loop $again (drop (call $new (i32.const 1))) (br $again))))
      (core instance $i (instantiate $m (with "host" (instance (export "new" (func $new))))))
      (func (export "hoard") (canon lift (core func $i "hoard"))))"#;
    let ended = run(text, "hoard", json!({})).await;
    let How::Trapped { message } = &ended.how else {
        panic!("{ended:?}")
    };
    assert!(message.contains("handle"), "{message}");
}
