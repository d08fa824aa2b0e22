//! A guest per way to go wrong, and how each ends.

use std::time::Duration;

use chicory_runtime::{CancellationToken, How, LogSource};
use serde_json::json;

use crate::guests::{MEMORY, call, invocation, load, plain, run, sandbox};

fn spinner() -> String {
    plain(
        "(func $spin (export \"spin\") (loop $again (br $again)))",
        &["spin"],
    )
}

#[tokio::test]
async fn an_endless_loop_is_stopped_at_its_timeout() {
    let ended = run(&spinner(), "spin", json!({"limits": {"timeout": 0.05}})).await;
    let How::TimedOut { limit, backtrace } = &ended.how else {
        panic!("{ended:?}")
    };
    assert_eq!(*limit, Duration::from_millis(50));
    assert!(
        backtrace.as_deref().unwrap().contains("spin"),
        "{backtrace:?}"
    );
    assert_eq!(ended.how.error_name(), Some("Timeout"));
    assert!(
        ended.usage.wall >= *limit && ended.usage.cpu > Duration::ZERO,
        "{:?}",
        ended.usage
    );
}

#[tokio::test]
async fn cpu_time_has_a_limit_of_its_own() {
    let ended = run(&spinner(), "spin", json!({"limits": {"cpu_time": 0.02}})).await;
    assert!(matches!(ended.how, How::OutOfCpu { .. }), "{ended:?}");
    assert_eq!(ended.how.error_name(), Some("Timeout"));
}

#[tokio::test]
async fn fuel_runs_out() {
    let ended = run(&spinner(), "spin", json!({"limits": {"fuel": 10_000}})).await;
    assert!(
        matches!(ended.how, How::OutOfFuel { limit: 10_000 }),
        "{ended:?}"
    );
    assert_eq!(ended.usage.fuel, Some(10_000));
}

#[tokio::test]
async fn one_task_may_have_fuel_and_another_none() {
    let sandbox = sandbox();
    let text = plain("(func (export \"a\")) (func (export \"b\"))", &["a", "b"]);
    let module = load(
        &sandbox,
        &text,
        json!({"task_limits": {"a": {"fuel": 1000}}}),
    )
    .await
    .unwrap();
    let a = call(&sandbox, &module, "a", json!([]), json!({})).await;
    let b = call(&sandbox, &module, "b", json!([]), json!({})).await;
    assert!(a.usage.fuel.is_some_and(|fuel| fuel < 1000), "{a:?}");
    assert!(
        matches!(b.how, How::Returned(_)) && b.usage.fuel.is_none(),
        "{b:?}"
    );
}

#[tokio::test]
async fn a_busy_guest_is_cancelled() {
    let sandbox = sandbox();
    let module = load(&sandbox, &spinner(), json!({})).await.unwrap();
    let token = CancellationToken::new();
    let mut invocation = invocation(&module, "spin", json!([]), json!({}));
    invocation.cancel = Some(token.clone());
    let running = tokio::spawn(async move { sandbox.run(invocation).await });
    token.cancel();
    let ended = running.await.unwrap();
    assert!(matches!(ended.how, How::Cancelled), "{ended:?}");
}

#[tokio::test]
async fn a_memory_bomb_ends_as_out_of_memory() {
    let bomb = plain(
        "(memory 1) (func (export \"bomb\")
            (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            unreachable)",
        &["bomb"],
    );
    let ended = run(&bomb, "bomb", json!({"limits": {"memory": "4MiB"}})).await;
    let How::OutOfMemory { message } = &ended.how else {
        panic!("{ended:?}")
    };
    assert!(message.starts_with("out of memory: asked for"), "{message}");
    assert!(
        ended.usage.peak_memory > 3 << 20 && ended.usage.peak_memory <= 4 << 20,
        "{:?}",
        ended.usage
    );
    // The worker's own ceiling, where the manifest sets no limit.
    let ended = run(&bomb, "bomb", json!({})).await;
    assert_eq!(ended.how.error_name(), Some("OutOfMemory"));
}

#[tokio::test]
async fn memories_count_together() {
    let several = plain(
        "(memory 20) (memory 20) (memory 20)
         (func (export \"grow\") (if (i32.eq (memory.grow 2 (i32.const 10)) (i32.const -1)) (then unreachable)))",
        &["grow"],
    );
    let ended = run(&several, "grow", json!({"limits": {"memory": "4MiB"}})).await;
    assert_eq!(ended.how.error_name(), Some("OutOfMemory"), "{ended:?}");
    let ended = run(&several, "grow", json!({"limits": {"memory": "1MiB"}})).await;
    assert_eq!(ended.how.error_name(), Some("OutOfMemory"), "{ended:?}");
}

#[tokio::test]
async fn a_table_bomb_ends_as_out_of_memory() {
    let bomb = plain(
        "(table 1 funcref) (func (export \"bomb\")
            (loop $again (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))))
            unreachable)",
        &["bomb"],
    );
    let ended = run(&bomb, "bomb", json!({"limits": {"table_elements": 5000}})).await;
    assert!(
        ended.how.message().starts_with("out of table elements"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn traps_name_their_cause_and_the_guests_functions() {
    let text = plain(
        "(func $deeper (call $deeper)) (func (export \"recurse\") (call $deeper))
         (func $inner unreachable) (func $outer (export \"crash\") (call $inner))
         (func (export \"divide\") (drop (i32.div_s (i32.const 1) (i32.const 0))))",
        &["recurse", "crash", "divide"],
    );
    let ended = run(&text, "recurse", json!({})).await;
    assert_eq!(ended.how.error_name(), Some("Trap"));
    assert!(
        ended.how.message().starts_with("call stack exhausted\n"),
        "{ended:?}"
    );
    let ended = run(&text, "crash", json!({})).await;
    let message = ended.how.message();
    assert!(
        message.starts_with("wasm `unreachable` instruction executed\n"),
        "{message}"
    );
    assert!(
        message.contains(": m!inner\n") && message.contains(": m!outer") && !message.contains("0x"),
        "{message}"
    );
    let ended = run(&text, "divide", json!({})).await;
    assert!(
        ended.how.message().starts_with("integer divide by zero"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_huge_result_is_refused() {
    let text = format!(
        "(component (core module $m {MEMORY}
            (func (export \"huge\") (result i32)
                (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 60000)) (i32.const 0)))
         (core instance $i (instantiate $m))
         (func (export \"huge\") (result string) (canon lift (core func $i \"huge\") (memory (core memory $i \"memory\")))))"
    );
    let ended = run(&text, "huge", json!({"limits": {"result_bytes": "10KiB"}})).await;
    assert!(
        matches!(
            ended.how,
            How::TooLarge {
                what: "result",
                limit: 10_240
            }
        ),
        "{ended:?}"
    );
    // Another limit.
    let ended = run(&text, "huge", json!({"limits": {"host_call_bytes": 100}})).await;
    assert!(matches!(ended.how, How::Returned(_)), "{ended:?}");
}

/// Waits for a minute in a call to the host.
const SLEEPER: &str = r#"(component
    (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $p (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $p))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $outer))
        (export "pollable" (type $p (eq $outer)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
    (core func $subscribe (canon lower (func $clock "subscribe-duration")))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core module $m
        (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (import "host" "block" (func $block (param i32)))
        (func (export "sleep") (call $block (call $subscribe (i64.const 60000000000)))))
    (core instance $i (instantiate $m (with "host" (instance
        (export "subscribe" (func $subscribe)) (export "block" (func $block))))))
    (func (export "sleep") (canon lift (core func $i "sleep"))))"#;

#[tokio::test]
async fn a_guest_that_waits_in_the_host_is_stopped_as_well() {
    let ended = run(SLEEPER, "sleep", json!({"limits": {"timeout": 0.05}})).await;
    assert!(
        matches!(
            ended.how,
            How::TimedOut {
                backtrace: None,
                ..
            }
        ),
        "{ended:?}"
    );
    assert!(ended.usage.cpu < ended.usage.wall, "{:?}", ended.usage);
}

#[tokio::test]
async fn a_guest_that_waits_is_cancelled() {
    let sandbox = sandbox();
    let module = load(&sandbox, SLEEPER, json!({})).await.unwrap();
    let token = CancellationToken::new();
    let mut invocation = invocation(&module, "sleep", json!([]), json!({}));
    invocation.cancel = Some(token.clone());
    let running = tokio::spawn(async move { sandbox.run(invocation).await });
    tokio::task::yield_now().await;
    token.cancel();
    assert!(matches!(running.await.unwrap().how, How::Cancelled));
}

/// Never stops logging.
const FLOOD: &str = r#"(component
    (import "chicory:task/log@0.1.0" (instance $log
        (type $level' (enum "trace" "debug" "info" "warn" "error"))
        (export "level" (type $level (eq $level')))
        (export "write" (func (param "level" $level) (param "message" string)))))
    (core module $memory (memory (export "memory") 1) (data (i32.const 0) "again and again"))
    (core instance $mem (instantiate $memory))
    (core func $write (canon lower (func $log "write") (memory (core memory $mem "memory"))))
    (core module $m
        (import "host" "write" (func $write (param i32 i32 i32)))
        (func (export "flood") (loop $again (call $write (i32.const 2) (i32.const 0) (i32.const 15)) (br $again))))
    (core instance $i (instantiate $m (with "host" (instance (export "write" (func $write))))))
    (func (export "flood") (canon lift (core func $i "flood"))))"#;

#[tokio::test]
async fn a_storm_of_host_calls_is_stopped_and_its_log_is_cut() {
    let limits = json!({"limits": {"timeout": 0.05, "log_bytes": 1000}});
    let ended = run(FLOOD, "flood", limits).await;
    assert_eq!(ended.how.error_name(), Some("Timeout"), "{ended:?}");
    assert!(ended.log.len() < 40, "{} lines", ended.log.len());
    let last = ended.log.last().unwrap();
    assert_eq!(
        (last.source, last.message.as_str()),
        (
            LogSource::Host,
            "what was above the limit log_bytes was dropped"
        )
    );
}

#[tokio::test]
async fn the_sandbox_is_as_good_as_new_after_every_ending() {
    let sandbox = sandbox();
    let limits = json!({"limits": {"timeout": 0.02}});
    let spinner = load(&sandbox, &spinner(), limits.clone()).await.unwrap();
    let sleeper = load(&sandbox, SLEEPER, limits).await.unwrap();
    let fine = load(&sandbox, &plain("(func (export \"f\"))", &["f"]), json!({}))
        .await
        .unwrap();
    for _ in 0..6 {
        call(&sandbox, &spinner, "spin", json!([]), json!({})).await;
        call(&sandbox, &sleeper, "sleep", json!([]), json!({})).await;
        let ended = call(&sandbox, &fine, "f", json!([]), json!({})).await;
        assert!(matches!(ended.how, How::Returned(_)), "{ended:?}");
    }
}
