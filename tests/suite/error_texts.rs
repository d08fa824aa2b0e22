//! Errors whose texts a guest makes long: they are cut where they are made, so that neither the worker nor the server
//! nor a log has to hold them.
//!
//! Must not know how a text is cut.

use chicory_testing::Site;
use chicory_testing::components::assemble;

/// What is kept of a text, in bytes.
const KEPT: usize = 16 << 10;

/// A module whose task traps in a function of this name.
pub(crate) fn trapping_in(function: &str) -> Vec<u8> {
    assemble(&format!(
        r#"(component
          (core module $m
            (func $x (@name "{function}") unreachable)
            (func (export "go") (result i32) (call $x) (i32.const 1)))
          (core instance $i (instantiate $m))
          (func (export "go") (result u32) (canon lift (core func $i "go"))))"#
    ))
}

/// A name of C++ in 302 bytes that would have 10^10 when it is resolved: each level names the one before it ten times.
pub(crate) fn growing_name() -> String {
    let inner = (0..8).map(|level| format!("S{level}_"));
    let levels = std::iter::once("S_".to_owned()).chain(inner);
    let levels: String = levels
        .map(|inner| ["S_I", &inner.repeat(10), "E"].concat())
        .collect();
    format!("_Z1f1A{levels}")
}

/// Case M1: a trap in a function whose name grows tenfold a level when it is resolved took 56 s and 2.1 GiB after the
/// guest's timeout.
#[test]
fn a_name_that_would_grow_stays_as_it_is() {
    let site = Site::new();
    site.write("modules/hostile.toml", "[limits]\ntimeout = 1\n");
    site.write("modules/hostile.wasm", trapping_in(&growing_name()));
    site.write("modules/long.wasm", trapping_in(&"n".repeat(90_000)));
    let worker = site.worker(&[]);
    site.call(&["demo.add", "1", "2"]);
    let before = worker.peak_memory();
    for module in ["hostile", "long"] {
        let result = site.call(&[&format!("{module}.go")]);
        let error = result["error"].as_str().unwrap();
        assert!(error.starts_with("Trap: "), "{result}");
        let traceback = result["traceback"].as_str().unwrap();
        assert!(traceback.contains("0: "), "{traceback}");
        // Two functions, and their names.
        assert!(traceback.len() < 600, "{} bytes", traceback.len());
    }
    let grown = worker.peak_memory() - before;
    assert!(grown < 64 << 20, "{grown} bytes more");
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}

/// A task that fails with a text of 16 MiB.
pub(crate) const SHOUTING: &str = r#"(component
  (core module $m
    (memory (export "memory") 258)
    (func (export "shout") (result i32)
      (memory.fill (i32.const 1024) (i32.const 120) (i32.const 16777216))
      (i32.store8 (i32.const 16) (i32.const 1))
      (i32.store (i32.const 20) (i32.const 1024))
      (i32.store (i32.const 24) (i32.const 16777216))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (func (export "shout") (result (result (error string)))
    (canon lift (core func $i "shout") (memory (core memory $i "memory")))))"#;

/// Case M7: five messages, each with a retry: the server held 240 MiB of them, and the log 160 MB.
#[test]
fn an_error_of_16_mib_is_cut_in_results_dead_letters_and_logs() {
    let site = Site::new();
    let manifest = "[retry]\nmax_retries = 1\nretry_delay = 0.01\n";
    site.write("modules/loud.toml", manifest);
    site.write("modules/loud.wasm", assemble(SHOUTING));
    let worker = site.worker(&[]);
    let before = used_memory(&site);
    let cut = "x… (16777216 bytes)";
    for _ in 0..5 {
        let id = site.enqueue(&["loud.shout"]);
        let result = site.wait_for(&id);
        let error = result["error"].as_str().unwrap();
        assert!(error.starts_with("TaskError: xxx") && error.ends_with(cut));
        assert!(error.len() < KEPT + 100, "{} bytes", error.len());
        worker.line_about("failed, and dead-lettered", &id);
    }
    let waited = site.run(&["enqueue", "loud.shout", "--wait"]);
    let said = waited.fails(1);
    assert!(
        said.contains(cut) && said.len() < 2 * KEPT,
        "{} bytes",
        said.len()
    );
    let letters = site.run(&["dlq", "list", "--json"]);
    assert!(
        letters.ok().contains(cut) && letters.ok().len() < 20 * KEPT,
        "{} bytes",
        letters.ok().len()
    );
    let logged: usize = worker
        .lines()
        .iter()
        .map(|line| line.to_string().len())
        .sum();
    assert!(logged < 20 * KEPT, "{logged} bytes of log");
    let held = used_memory(&site).saturating_sub(before);
    assert!(held < 4 << 20, "{held} bytes on the server");
}

/// What the server holds, in bytes.
fn used_memory(site: &Site) -> u64 {
    let info: String = site.redis.query(&["INFO", "memory"]);
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.and_then(|number| number.trim().parse().ok())
        .expect("a number of bytes")
}
