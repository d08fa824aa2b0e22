//! Guests that make the host hold memory for them, in a worker: the call ends, and the worker stays small.
//!
//! Must not know what is counted.

use chicory_testing::Site;
use chicory_testing::components::assemble;

const HEADERS: &str = include_str!("../../host/runtime/tests/sandbox/headers.wat");

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
