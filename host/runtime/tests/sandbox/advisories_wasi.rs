//! wasmtime's advisories of 2025 and 2026 about WASI, each as the guest that would show it.
//!
//! Must not know how a limit is kept.

use chicory_runtime::How;
use serde_json::json;

use crate::dirs::Dirs;
use crate::guests::{call, load, returned, sandbox};
use crate::held::{HEADERS, small};

/// RUSTSEC-2025-0046: the host panicked.
#[tokio::test]
async fn rustsec_2025_0046_fd_renumber_of_any_file_is_no_panic() {
    let pairs = [
        (0, 1),
        (3, 3),
        (3, 1_000_000),
        (99, 3),
        (3, 99),
        (-1, -1),
        (0, -1),
        (2, 3),
    ];
    for (from, to) in pairs {
        let body = format!("(drop (call $renumber (i32.const {from}) (i32.const {to})))");
        let ended = Dirs::new().run(&body).await;
        assert!(
            matches!(
                ended.how,
                How::Returned(_) | How::Exited { .. } | How::Trapped { .. }
            ),
            "{from} to {to}: {ended:?}"
        );
    }
}

/// RUSTSEC-2026-0182: what a file was renumbered over stayed in the host.
#[tokio::test]
async fn rustsec_2026_0182_fd_renumber_leaks_nothing() {
    let open = r"(call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 3) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8))";
    let body = format!(
        r"(call $must {open})
        (i32.store (i32.const 16) (i32.load (i32.const 8)))
        (local.set $left (i32.const 25000))
        (loop $again
          (call $must {open})
          (call $must (call $renumber (i32.load (i32.const 8)) (i32.load (i32.const 16))))
          (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    );
    let ended = Dirs::new().run(&body).await;
    assert_eq!(returned(&ended), json!(""), "{ended:?}");
}

/// RUSTSEC-2026-0149: opening a file with TRUNCATE emptied it where it may only be read.
#[tokio::test]
async fn rustsec_2026_0149_a_file_that_may_be_read_is_not_truncated() {
    let dirs = Dirs::new();
    for rights in ["2", "64", "66", "-1", "0"] {
        let body = format!(
            r"(drop (call $open (i32.const 4) (i32.const 0) (i32.const 104) (i32.const 4) (i32.const 8)
                (i64.const {rights}) (i64.const {rights}) (i32.const 0) (i32.const 8)))
            (drop (call $open (i32.const 4) (i32.const 0) (i32.const 100) (i32.const 3) (i32.const 9)
                (i64.const {rights}) (i64.const {rights}) (i32.const 0) (i32.const 8)))"
        );
        dirs.run(&body).await;
        dirs.assert_kept();
    }
}

/// RUSTSEC-2026-0188: a hard link or a rename put a file where nothing may be written.
#[tokio::test]
async fn rustsec_2026_0188_links_and_renames_need_the_right_to_write_on_both_sides() {
    for call in [
        "(call $rename (i32.const 3) (i32.const 100) (i32.const 3) (i32.const 4) (i32.const 100) (i32.const 3))",
        "(call $rename (i32.const 3) (i32.const 100) (i32.const 3) (i32.const 4) (i32.const 104) (i32.const 4))",
        "(call $rename (i32.const 4) (i32.const 104) (i32.const 4) (i32.const 3) (i32.const 104) (i32.const 4))",
        "(call $link (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 3) (i32.const 4) (i32.const 100) (i32.const 3))",
        "(call $link (i32.const 4) (i32.const 0) (i32.const 104) (i32.const 4) (i32.const 3) (i32.const 104) (i32.const 4))",
    ] {
        let dirs = Dirs::new();
        dirs.run(&format!("(drop {call})")).await;
        dirs.assert_kept();
        assert!(!dirs.path("rw/kept").exists(), "{call}");
    }
}

/// RUSTSEC-2026-0021: a set of headers with more of them than the host can keep made it panic.
#[tokio::test]
async fn rustsec_2026_0021_headers_without_end_are_refused() {
    let sandbox = sandbox();
    let module = load(&sandbox, HEADERS, small()).await.unwrap();
    let ended = call(&sandbox, &module, "many", json!([40_000]), json!({})).await;
    let How::Trapped { message } = &ended.how else {
        panic!("{ended:?}")
    };
    assert!(
        message.starts_with("total size of fields exceeds limit"),
        "{message}"
    );
    assert!(ended.usage.host_memory < 1 << 20, "{:?}", ended.usage);
}

/// A component that calls one function of WASI with a number.
const NUMBERS: &str = r#"(component
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $io-error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $io-error (type $e))
    (export "error" (type $error (eq $e)))
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "[method]output-stream.write-zeroes" (func
      (param "self" (borrow $out)) (param "len" u64) (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-write-zeroes-and-flush" (func
      (param "self" (borrow $out)) (param "len" u64) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o))
    (export "output-stream" (type $own (eq $o)))
    (export "get-stdout" (func (result (own $own))))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
  (core instance $libc (instantiate $libc))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes") (memory (core memory $libc "memory"))))
  (core func $flushed (canon lower (func $streams "[method]output-stream.blocking-write-zeroes-and-flush") (memory (core memory $libc "memory"))))
  (core func $bytes (canon lower (func $random "get-random-bytes")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $m
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "zeroes" (func $zeroes (param i32 i64 i32)))
    (import "host" "flushed" (func $flushed (param i32 i64 i32)))
    (import "host" "bytes" (func $bytes (param i64 i32)))
    (func (export "zeroes") (param i64) (call $zeroes (call $stdout) (local.get 0) (i32.const 0)))
    (func (export "flushed") (param i64) (call $flushed (call $stdout) (local.get 0) (i32.const 0)))
    (func (export "bytes") (param i64) (call $bytes (local.get 0) (i32.const 0))))
  (core instance $i (instantiate $m (with "host" (instance
    (export "stdout" (func $stdout)) (export "zeroes" (func $zeroes))
    (export "flushed" (func $flushed)) (export "bytes" (func $bytes))))))
  (func (export "zeroes") (param "count" u64) (canon lift (core func $i "zeroes")))
  (func (export "flushed") (param "count" u64) (canon lift (core func $i "flushed")))
  (func (export "bytes") (param "count" u64) (canon lift (core func $i "bytes"))))"#;

/// RUSTSEC-2026-0020: a guest made the host allocate as much as it liked.
#[tokio::test]
async fn rustsec_2026_0020_no_number_of_bytes_is_too_large() {
    let sandbox = sandbox();
    let module = load(&sandbox, NUMBERS, json!({})).await.unwrap();
    for task in ["zeroes", "flushed", "bytes"] {
        for count in [1_u64 << 32, 1 << 40, u64::MAX / 2, u64::MAX] {
            let ended = call(&sandbox, &module, task, json!([count]), json!({})).await;
            assert!(
                matches!(ended.how, How::Trapped { .. } | How::OutOfMemory { .. }),
                "{task} of {count}: {ended:?}"
            );
        }
        let few = call(&sandbox, &module, task, json!([16]), json!({})).await;
        assert!(matches!(few.how, How::Returned(_)), "{task}: {few:?}");
    }
}
