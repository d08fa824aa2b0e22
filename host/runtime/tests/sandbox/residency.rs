//! A guest that writes all over its memory: fresh at each call, and after some calls without page faults.

use std::fmt::Write as _;

use chicory_runtime::Sandbox;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;
use wasmtime::PoolingAllocationConfig;

use crate::guests::{call, load, returned, sandbox};

/// 4 MiB, of which each eighth page has a 1: the task returns the sum of what it finds there, and adds to each.
fn scattered() -> String {
    const PAGES: usize = 100;
    let mut data = String::new();
    for page in 0..PAGES {
        let _ = writeln!(data, "(data (i32.const {}) \"\\01\")", page * 8 * 4096);
    }
    format!(
        r#"(component
        (core module $m
            (memory 64)
            {data}
            (func (export "sum") (result i32) (local $page i32) (local $sum i32) (local $at i32)
                (loop $next
                    (local.set $at (i32.mul (local.get $page) (i32.const {step})))
                    (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
                    (i32.store (local.get $at) (i32.const 7))
                    (local.set $page (i32.add (local.get $page) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $page) (i32.const {PAGES}))))
                (local.get $sum)))
        (core instance $i (instantiate $m))
        (func (export "sum") (result u32) (canon lift (core func $i "sum"))))"#,
        step = 8 * 4096,
    )
}

#[tokio::test]
async fn scattered_writes_are_undone_without_giving_memory_back() {
    let sandbox = sandbox();
    let module = load(&sandbox, &scattered(), json!({})).await.unwrap();
    let sum = async |sandbox: &Sandbox| {
        let before = faults();
        let ended = call(sandbox, &module, "sum", json!([]), json!({})).await;
        assert_eq!(
            returned(&ended),
            json!(100),
            "the memory is the image again"
        );
        faults() - before
    };
    let mut least = i64::MAX;
    for _ in 0..50 {
        least = least.min(sum(&sandbox).await);
    }
    // Without the kernel's scan for what was written, memory is given back and faulted in again.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        assert!(least < 20, "{least} page faults, of 100 pages written to");
    }
}

/// Page faults of this thread, on which the calls run.
fn faults() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("it can be asked");
    usage.minor_page_faults()
}
