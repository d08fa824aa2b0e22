//! Arguments in, results out: every WIT type through a real guest, names, the guest's own errors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chicory_runtime::{Advice, How, Level, LogLine, LogSource, Note, TaskContext};
use serde_json::json;

use crate::guests::{MEMORY, call, invocation, load, returned, sandbox};

const ADDER: &str = r#"(component
    (core module $m
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
    (core instance $i (instantiate $m))
    (func $add (param "first" u32) (param "second-one" u32) (result u32) (canon lift (core func $i "add")))
    (export "add-both" (func $add))
    (instance $math (export "add" (func $add)))
    (export "acme:tools/math@1.0.0" (instance $math)))"#;

#[tokio::test]
async fn tasks_are_called_by_position_and_by_name() {
    let sandbox = sandbox();
    let module = load(&sandbox, ADDER, json!({})).await.unwrap();
    let names: Vec<_> = module.tasks().map(|task| task.name()).collect();
    assert_eq!(names, ["add-both", "math.add"]);
    for name in ["add-both", "add_both", "math.add"] {
        let ended = call(
            &sandbox,
            &module,
            name,
            json!([1]),
            json!({"second_one": 2}),
        )
        .await;
        assert_eq!(returned(&ended), json!(3), "{name}");
    }
    let task = module.task("add_both").unwrap();
    assert_eq!(
        task.signature().to_string(),
        "func(first: u32, second-one: u32) -> u32"
    );
    assert!(module.task("subtract").is_none());
}

#[tokio::test]
async fn arguments_that_do_not_fit_end_the_call_before_it_begins() {
    let sandbox = sandbox();
    let module = load(&sandbox, ADDER, json!({"limits": {"args_bytes": 100}}))
        .await
        .unwrap();
    let ended = call(&sandbox, &module, "add-both", json!([1, "2"]), json!({})).await;
    assert_eq!(ended.how.error_name(), Some("ValidationError"));
    assert_eq!(ended.how.message(), "args[1]: expected u32, got string");
    let ended = call(
        &sandbox,
        &module,
        "add-both",
        json!(["x".repeat(200)]),
        json!({}),
    )
    .await;
    assert_eq!(
        ended.how.message(),
        "arguments: larger than the limit of 100 bytes"
    );
    let task = module.task("add-both").unwrap();
    let error = task.validate(&vec![json!(1)].into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "kwargs: missing argument `second-one: u32`"
    );
}

/// A function that returns its one argument, of a record with a field of every type. It is too
/// large for registers, so the guest gets a pointer, and gives it back.
fn mirror() -> String {
    format!(
        r#"(component
        (core module $m {MEMORY} (func (export "mirror") (param i32) (result i32) (local.get 0)))
        (core instance $i (instantiate $m))
        (type $colour' (enum "red" "dark-blue")) (export $colour "colour" (type $colour'))
        (type $perms' (flags "read" "write" "run")) (export $perms "perms" (type $perms'))
        (type $shape' (variant (case "point") (case "circle" f64))) (export $shape "shape" (type $shape'))
        (type $all' (record
            (field "yes" bool) (field "a-s8" s8) (field "a-u8" u8) (field "a-s16" s16) (field "a-u16" u16)
            (field "a-s32" s32) (field "a-u32" u32) (field "a-s64" s64) (field "a-u64" u64)
            (field "a-f32" f32) (field "a-f64" f64) (field "letter" char) (field "text" string)
            (field "data" (list u8)) (field "numbers" (list s16)) (field "pair" (tuple u8 string))
            (field "colour" $colour) (field "perms" $perms) (field "shapes" (list $shape))
            (field "maybe" (option string)) (field "outcome" (result u32 (error string)))))
        (export $all "all" (type $all'))
        (func $mirror (param "x" $all) (result $all)
            (canon lift (core func $i "mirror") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
        (export "mirror" (func $mirror)))"#
    )
}

#[tokio::test]
async fn every_type_goes_in_and_comes_out_the_same() {
    let sandbox = sandbox();
    let module = load(&sandbox, &mirror(), json!({})).await.unwrap();
    let value = json!({
        "yes": true, "a-s8": -128, "a-u8": 255, "a-s16": -32768, "a-u16": 65535,
        "a-s32": i32::MIN, "a-u32": u32::MAX, "a-s64": i64::MIN, "a-u64": u64::MAX,
        "a-f32": 1.5, "a-f64": -2.25e300, "letter": "é", "text": "naïve 🦀",
        "data": "AAEC/w==", "numbers": [1, -2, 3], "pair": [7, "seven"],
        "colour": "dark-blue", "perms": ["read", "run"], "shapes": ["point", {"circle": 0.5}],
        "maybe": null, "outcome": {"err": "no"},
    });
    let ended = call(&sandbox, &module, "mirror", json!([value]), json!({})).await;
    assert_eq!(returned(&ended), value);
    assert!(ended.usage.peak_memory >= 65_536, "{:?}", ended.usage);
}

/// Tasks that return prepared errors: `fail(n)` is `result<_, task-error>`, whose image has 32 bytes.
const FAILING: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (data (i32.const 512) "try again later")
        (data (i32.const 0) "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\02\00\00\09\00\00\00")
        (data (i32.const 32) "\01\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\02\00\00\0f\00\00\00\dc\05\00\00\00\00\00\00")
        (data (i32.const 64) "\01\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\02\00\00\03\00\00\00")
        (data (i32.const 96) "\00")
        (func (export "fail") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 32)))
        (func (export "refuse") (result i32) (i32.const 1)))
    (core instance $i (instantiate $m))
    (type $postponed' (record (field "message" string) (field "delay-ms" u64)))
    (export $postponed "postponed" (type $postponed'))
    (type $error' (variant (case "retry" string) (case "retry-after" $postponed) (case "fatal" string)))
    (export $error "task-error" (type $error'))
    (func $fail (param "n" u32) (result (result (error $error)))
        (canon lift (core func $i "fail") (memory (core memory $i "memory"))))
    (export "fail" (func $fail))
    (type $why' (enum "out-of-paper" "jammed")) (export $why "why" (type $why'))
    (func $refuse (result $why) (canon lift (core func $i "refuse")))
    (export "refuse" (func $refuse)))"#;

#[tokio::test]
async fn a_tasks_own_error_carries_its_message_and_advice() {
    let sandbox = sandbox();
    let module = load(&sandbox, FAILING, json!({})).await.unwrap();
    let expected = [
        ("try again", Advice::RetryAfter(None)),
        (
            "try again later",
            Advice::RetryAfter(Some(Duration::from_millis(1500))),
        ),
        ("try", Advice::Never),
    ];
    for (n, (message, retry)) in expected.into_iter().enumerate() {
        let ended = call(&sandbox, &module, "fail", json!([n]), json!({})).await;
        let How::Refused {
            name,
            message: said,
            retry: advised,
            ..
        } = &ended.how
        else {
            panic!("{ended:?}")
        };
        assert_eq!(
            (name.as_str(), said.as_str(), *advised),
            ("TaskError", message, retry)
        );
    }
    let ended = call(&sandbox, &module, "fail", json!([3]), json!({})).await;
    assert_eq!(returned(&ended), json!(null));
    // An enum that is the result itself, not an error, is a result.
    let ended = call(&sandbox, &module, "refuse", json!([]), json!({})).await;
    assert_eq!(returned(&ended), json!("jammed"));
}

/// Imports what Chicory offers: says how often it was retried, logs, and reports progress.
fn talker() -> String {
    format!(
        r#"(component
        (import "chicory:task/context@0.1.0" (instance $context
            (export "retries" (func (result u32)))
            (export "remaining-retries" (func (result u32)))
            (export "id" (func (result string)))))
        (import "chicory:task/log@0.1.0" (instance $log
            (type $level' (enum "trace" "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $level')))
            (export "write" (func (param "level" $level) (param "message" string)))))
        (import "chicory:task/progress@0.1.0" (instance $progress
            (export "report" (func (param "percent" f64) (param "message" (option string))))))
        (core module $memory {MEMORY})
        (core instance $mem (instantiate $memory))
        (core func $retries (canon lower (func $context "retries")))
        (core func $remaining (canon lower (func $context "remaining-retries")))
        (core func $id (canon lower (func $context "id") (memory (core memory $mem "memory")) (realloc (core func $mem "realloc"))))
        (core func $write (canon lower (func $log "write") (memory (core memory $mem "memory"))))
        (core func $report (canon lower (func $progress "report") (memory (core memory $mem "memory"))))
        (core module $m
            (import "mem" "memory" (memory 1))
            (import "host" "retries" (func $retries (result i32)))
            (import "host" "remaining" (func $remaining (result i32)))
            (import "host" "id" (func $id (param i32)))
            (import "host" "write" (func $write (param i32 i32 i32)))
            (import "host" "report" (func $report (param f64 i32 i32 i32)))
            (func (export "talk") (result i32)
                (call $id (i32.const 0))
                (call $write (i32.const 3) (i32.load (i32.const 0)) (i32.load (i32.const 4)))
                (call $report (f64.const 50) (i32.const 0) (i32.const 0) (i32.const 0))
                (i32.add (i32.mul (call $retries) (i32.const 10)) (call $remaining))))
        (core instance $i (instantiate $m
            (with "mem" (instance $mem))
            (with "host" (instance
                (export "retries" (func $retries)) (export "remaining" (func $remaining))
                (export "id" (func $id)) (export "write" (func $write)) (export "report" (func $report))))))
        (func (export "talk") (result u32) (canon lift (core func $i "talk"))))"#
    )
}

#[tokio::test]
async fn a_task_knows_its_context_and_is_heard() {
    let sandbox = sandbox();
    let module = load(
        &sandbox,
        &talker(),
        json!({"grants": {"stdio": false, "clocks": false}}),
    )
    .await
    .unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    let mut invocation = invocation(&module, "talk", json!([]), json!({}));
    invocation.observer = Some(Arc::new(move |note| notes.lock().unwrap().push(note)));
    invocation.context = TaskContext {
        id: "id-7\x1b[2J".into(),
        retries: 2,
        max_retries: 5,
        ..TaskContext::default()
    };
    let ended = sandbox.run(invocation).await;
    assert_eq!(returned(&ended), json!(23));
    let line = LogLine {
        level: Level::Warn,
        source: LogSource::Guest,
        message: "id-7".into(),
    };
    assert_eq!(ended.log, std::slice::from_ref(&line));
    assert_eq!(
        *heard.lock().unwrap(),
        [
            Note::Log(line),
            Note::Progress {
                percent: 50.0,
                message: None
            }
        ]
    );
}

const CONCURRENT: &str = r#"(component
    (core module $m
        (import "" "return" (func $return (param i32)))
        (func (export "next") (param i32) (result i32)
            (call $return (i32.add (local.get 0) (i32.const 1)))
            (i32.const 0))
        (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
    (core func $return (canon task.return (result u32)))
    (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
    (type $next (func async (param "n" u32) (result u32)))
    (func (export "next") (type $next)
        (canon lift (core func $i "next") async (callback (core func $i "callback")))))"#;

#[tokio::test]
async fn async_exports_are_tasks_as_well() {
    let sandbox = sandbox();
    let module = load(&sandbox, CONCURRENT, json!({})).await.unwrap();
    let ended = call(&sandbox, &module, "next", json!([41]), json!({})).await;
    assert_eq!(returned(&ended), json!(42));
}

#[tokio::test]
async fn more_calls_than_the_pool_has_room_for_wait_their_turn() {
    let sandbox = sandbox();
    let module = load(&sandbox, ADDER, json!({})).await.unwrap();
    let calls: Vec<_> = (0..50u32)
        .map(|n| {
            let (sandbox, invocation) = (
                sandbox.clone(),
                invocation(&module, "add-both", json!([n, 1]), json!({})),
            );
            tokio::spawn(async move { sandbox.run(invocation).await })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(returned(&call.await.unwrap()), json!(n + 1));
    }
}
