//! Guests that make the host hold memory for them, in a worker: the call ends, and the worker stays small.
//!
//! Must not know what is counted.

use chicory_testing::Site;
use chicory_testing::components::assemble;

pub(crate) const HEADERS: &str = include_str!("../../host/runtime/tests/sandbox/headers.wat");

/// Case M6: 19,900 sets of headers of 110 KB under `memory = "1MiB"` took 2.4 GB, and the usage said 64 KiB.
#[test]
fn headers_of_a_guest_do_not_fill_the_worker() {
    let site = Site::new();
    let manifest = "[limits]\nmemory = \"1MiB\"\n[grants]\nhttp = [\"host.example\"]\n";
    site.write("modules/headers.toml", manifest);
    site.write("modules/headers.wasm", assemble(HEADERS));
    let worker = site.worker(&[]);
    site.call(&["demo.add", "1", "2"]);
    let before = worker.peak_memory();
    for task in ["headers.hoard", "headers.copy"] {
        let result = site.call(&[task, "19900"]);
        let error = result["error"].as_str().unwrap();
        assert!(error.starts_with("OutOfMemory: out of memory"), "{result}");
        let held = result["usage"]["host_memory_bytes"].as_u64().unwrap();
        assert!(held > 16 << 20 && held <= 17 << 20, "{result}");
    }
    let grown = worker.peak_memory() - before;
    assert!(grown < 128 << 20, "{grown} bytes more");
    assert_eq!(site.call(&["headers.tidy", "100"])["result"], 1);
}

/// A task that takes 200 MiB page by page, and keeps them until it is stopped.
const GREEDY: &str = r#"(component
  (core module $m
    (memory 1)
    (func (export "take") (local $at i32)
      (drop (memory.grow (i32.const 3200)))
      (loop $again
        (loop $page
          (i32.store (local.get $at) (i32.const 7))
          (local.set $at (i32.add (local.get $at) (i32.const 4096)))
          (br_if $page (i32.lt_u (local.get $at) (i32.const 209715200))))
        (local.set $at (i32.const 0))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "take") (canon lift (core func $i "take"))))"#;

/// One memory bound: tasks within their limits that together want more than the process should have. The largest end,
/// and the worker continues.
#[test]
fn tasks_that_together_want_too_much_end_one_by_one() {
    const BOUND: u64 = 600 << 20;
    let site = Site::new()
        .set("CHICORY_WORKER_PROCESS_MEMORY", "600MiB")
        .set("CHICORY_WORKER_CONCURRENCY", "64");
    site.write("modules/greedy.toml", "[limits]\ntimeout = 5\n");
    site.write("modules/greedy.wasm", assemble(GREEDY));
    let worker = site.worker(&[]);
    let ids: Vec<_> = (0..8).map(|_| site.enqueue(&["greedy.take"])).collect();
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    let errors: Vec<_> = ids
        .iter()
        .map(|id| site.wait_for(id)["error"].as_str().unwrap().to_owned())
        .collect();
    let ended = errors
        .iter()
        .filter(|error| error.starts_with("OutOfMemory: out of memory: the worker has "));
    assert!(ended.count() >= 4, "{errors:?}");
    // Two threads may take a few milliseconds more.
    let peak = worker.peak_memory();
    assert!(peak < BOUND + (200 << 20), "{peak} bytes");
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}
