//! Command-line programs as tasks: argv, stdin, stdout, stderr, exit codes.

use chicory_runtime::{How, LogSource};
use serde_json::json;

use crate::guests::{call, load, returned, sandbox};

/// A WASI preview1 command that writes its second argument to stdout, its input to stderr, and
/// exits with the number of its arguments, less two.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2)
    (func $length (param $at i32) (result i32)
        (local $end i32)
        (local.set $end (local.get $at))
        (loop $again
            (if (i32.load8_u (local.get $end))
                (then (local.set $end (i32.add (local.get $end) (i32.const 1))) (br $again))))
        (i32.sub (local.get $end) (local.get $at)))
    (func (export "_start")
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (drop (call $args (i32.const 1024) (i32.const 4096)))
        (i32.store (i32.const 8) (i32.load (i32.const 1028)))
        (i32.store (i32.const 12) (call $length (i32.load (i32.const 1028))))
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))
        (i32.store (i32.const 8) (i32.const 8192))
        (i32.store (i32.const 12) (i32.const 1000))
        (drop (call $read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16)))
        (i32.store (i32.const 12) (i32.load (i32.const 16)))
        (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 16)))
        (call $exit (i32.sub (i32.load (i32.const 0)) (i32.const 2)))))"#;

#[tokio::test]
async fn a_programs_stdout_is_its_result() {
    let sandbox = sandbox();
    let module = load(&sandbox, PROGRAM, json!({})).await.unwrap();
    let ended = call(
        &sandbox,
        &module,
        "run",
        json!(["hello"]),
        json!({"stdin": "to stderr\n"}),
    )
    .await;
    assert_eq!(returned(&ended), json!("hello"), "{ended:?}");
    let [line] = ended.log.as_slice() else {
        panic!("{ended:?}")
    };
    assert_eq!(
        (line.source, line.message.as_str()),
        (LogSource::Stderr, "to stderr")
    );
}

#[tokio::test]
async fn another_exit_code_than_0_is_a_failure() {
    let sandbox = sandbox();
    let module = load(&sandbox, PROGRAM, json!({})).await.unwrap();
    let ended = call(
        &sandbox,
        &module,
        "run",
        json!(["a", {"b": 1}, 7]),
        json!({"stdin": "it broke"}),
    )
    .await;
    let How::Exited {
        code,
        stdout,
        stderr,
    } = &ended.how
    else {
        panic!("{ended:?}")
    };
    assert_eq!(
        (*code, stdout.as_str(), stderr.as_str()),
        (2, "a", "it broke")
    );
    assert_eq!(ended.how.error_name(), Some("TaskError"));
    assert_eq!(ended.how.message(), "exit code 2: it broke");
}

#[tokio::test]
async fn more_output_than_a_result_may_have_is_refused() {
    let sandbox = sandbox();
    let module = load(&sandbox, PROGRAM, json!({"limits": {"result_bytes": 4}}))
        .await
        .unwrap();
    let ended = call(&sandbox, &module, "run", json!(["hello"]), json!({})).await;
    assert!(
        matches!(
            ended.how,
            How::TooLarge {
                what: "result",
                limit: 4
            }
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_program_takes_no_named_arguments_but_its_input() {
    let sandbox = sandbox();
    let module = load(&sandbox, PROGRAM, json!({})).await.unwrap();
    let task = module.task("run").unwrap();
    assert_eq!(
        task.signature().to_string(),
        "command(argv...; stdin: string) -> stdout"
    );
    let ended = call(
        &sandbox,
        &module,
        "run",
        json!([]),
        json!({"verbose": true}),
    )
    .await;
    assert!(
        ended.how.message().contains("unknown argument `verbose`"),
        "{ended:?}"
    );
}

/// A program that makes the file `f` in its first directory, and writes 1,000 bytes to it `times` times; it exits with
/// the number of the first error.
fn writing(wasi: &str, times: u32) -> String {
    format!(
        r#"(module
    (import "{wasi}" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "{wasi}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "{wasi}" "fd_close" (func $close (param i32) (result i32)))
    (import "{wasi}" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "f")
    (func $check (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
    (func (export "_start") (local $left i32)
        (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1)
            (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
        (i32.store (i32.const 8) (i32.const 1024))
        (i32.store (i32.const 12) (i32.const 1000))
        (local.set $left (i32.const {times}))
        (loop $again
            (call $check (call $write (i32.load (i32.const 32)) (i32.const 8) (i32.const 1) (i32.const 16)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (call $check (call $close (i32.load (i32.const 32))))))"#
    )
}

/// Case M14, for programs: what is written to a granted directory is counted.
#[tokio::test]
async fn a_programs_writes_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox();
    let dirs = json!([{ "host": folder.path(), "guest": "/", "writable": true }]);
    let manifest = json!({ "grants": { "dirs": dirs }, "limits": { "write_bytes": 20_000 } });
    for wasi in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let module = load(&sandbox, &writing(wasi, 10), manifest.clone()).await;
        let ended = call(&sandbox, &module.unwrap(), "run", json!([]), json!({})).await;
        assert_eq!(returned(&ended), json!(""), "{ended:?}");
        let module = load(&sandbox, &writing(wasi, 30), manifest.clone()).await;
        let ended = call(&sandbox, &module.unwrap(), "run", json!([]), json!({})).await;
        assert!(matches!(&ended.how, How::Denied { .. }), "{ended:?}");
        let message = ended.how.message();
        assert!(
            message.contains("write_bytes") && message.contains("exit code 51"),
            "{message}"
        );
    }
    let written = std::fs::metadata(folder.path().join("f")).unwrap().len();
    assert!(written <= 20_000, "{written}");
}

/// Case M14, for programs: the number of open files.
#[tokio::test]
async fn a_programs_open_files_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox();
    let dirs = json!([{ "host": folder.path(), "guest": "/", "writable": true }]);
    let manifest = json!({ "grants": { "dirs": dirs } });
    let opening = |close: &str| {
        format!(
            r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "f")
    (func $check (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
    (func (export "_start") (local $left i32)
        (local.set $left (i32.const 1000))
        (loop $again
            (call $check (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            {close}
            (br_if $again (local.get $left)))))"#
        )
    };
    let close = "(call $check (call $close (i32.load (i32.const 32))))";
    let module = load(&sandbox, &opening(close), manifest.clone()).await;
    let ended = call(&sandbox, &module.unwrap(), "run", json!([]), json!({})).await;
    assert_eq!(returned(&ended), json!(""), "{ended:?}");
    let module = load(&sandbox, &opening(""), manifest).await;
    let ended = call(&sandbox, &module.unwrap(), "run", json!([]), json!({})).await;
    assert!(ended.how.message().contains("exit code 33"), "{ended:?}");
}
