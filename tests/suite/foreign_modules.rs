//! Modules made by others: programs for WASI preview 1, features of WebAssembly, and what can't be loaded.
//!
//! Must not know how a module is compiled.

use std::path::PathBuf;

use chicory_testing::Site;
use chicory_testing::components::assemble;
use serde_json::{Value, json};

fn module(site: &Site, text: &str) -> PathBuf {
    site.write("m.wasm", assemble(text))
}

/// What `chicory run` prints of the task, which must succeed.
fn run(site: &Site, text: &str, task: &str) -> String {
    let file = module(site, text);
    site.run(&["run", file.to_str().expect("a plain name"), task])
        .ok()
        .to_owned()
}

/// What `chicory inspect` says about a module that can't be loaded.
fn refused(site: &Site, wasm: &[u8]) -> String {
    let file = site.write("m.wasm", wasm);
    let file = file.to_str().expect("a plain name");
    let said = site.run(&["inspect", file]).fails(1).to_owned();
    let json: Value = serde_json::from_str(site.run(&["inspect", file, "--json"]).fails(1))
        .expect("an error in JSON");
    assert_eq!(json["exit_code"], 1);
    assert_eq!(
        said.trim(),
        format!("error: {}", json["error"].as_str().expect("a text"))
    );
    said
}

fn answering(core: &str, more: &str) -> Vec<u8> {
    assemble(&format!(
        r#"(component {more}
            (core module $m {core} (func (export "f") (result i32) (i32.const 1)))
            (core instance $i (instantiate $m))
            (func (export "f") (result u32) (canon lift (core func $i "f"))))"#
    ))
}

/// Case W1: an `async func` that is lifted without the async ABI.
#[test]
fn an_async_function_may_be_lifted_synchronously() {
    let text = r#"(component
        (core module $m (func (export "f") (result i32) i32.const 42))
        (core instance $i (instantiate $m))
        (func (export "f") async (result u32) (canon lift (core func $i "f"))))"#;
    assert_eq!(run(&Site::new(), text, "f"), "42");
}

/// Case W3: a program whose allocator owns all of its memory, as `AssemblyScript`'s does.
#[test]
fn a_program_owns_its_memory() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "hello\n")
        (func $say
            (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 6))
            (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func (export "_start")
            (call $say)
            (memory.fill (i32.const 1024) (i32.const 0)
                (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1024)))
            (call $say)))"#;
    assert_eq!(run(&Site::new(), text, "run"), "hello\nhello");
}

/// Case W3: exit codes, of programs for WASI preview 1 and for the version before it.
#[test]
fn a_program_ends_with_its_exit_code() {
    let site = Site::new();
    for wasi in ["wasi_snapshot_preview1", "wasi_unstable"] {
        for code in [1, 33, 255] {
            let text = format!(
                r#"(module (import "{wasi}" "proc_exit" (func $exit (param i32)))
                    (memory (export "memory") 1)
                    (func (export "_start") (call $exit (i32.const {code}))))"#
            );
            let file = module(&site, &text);
            let ran = site.run(&["run", file.to_str().expect("a plain name"), "run"]);
            let said = ran.fails(1);
            assert!(
                said.contains(&format!("TaskError: exit code {code}\n")),
                "{said}"
            );
        }
        let done = format!(
            r#"(module (import "{wasi}" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_start") (call $exit (i32.const 0)) (unreachable)))"#
        );
        assert_eq!(run(&site, &done, "run"), "");
    }
}

/// Case W3: a component's exit code, which WASI 0.2 has had only as success or failure.
#[test]
fn a_component_ends_with_its_exit_code() {
    let text = r#"(component
        (import "wasi:cli/exit@0.2.12" (instance $exit
            (export "exit-with-code" (func (param "status-code" u8)))))
        (core func $exit (canon lower (func $exit "exit-with-code")))
        (core module $m
            (import "exit" "exit" (func $exit (param i32)))
            (func (export "run") (result i32) (call $exit (i32.const 33)) (i32.const 0)))
        (core instance $e (export "exit" (func $exit)))
        (core instance $i (instantiate $m (with "exit" (instance $e))))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $r (export "run" (func $run)))
        (export "wasi:cli/run@0.2.12" (instance $r)))"#;
    let site = Site::new();
    let file = module(&site, text);
    let ran = site.run(&["run", file.to_str().expect("a plain name"), "run"]);
    assert!(ran.fails(1).contains("TaskError: exit code 33"), "{ran:?}");
}

/// Case W3: more open files than the adapter had room for.
#[test]
fn a_program_opens_many_files() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "file")
        (func (export "_start") (local $left i32) (local $code i32)
            (local.set $left (i32.const 200))
            (loop $again
                (local.set $code (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4)
                    (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
                (if (local.get $code) (then (call $exit (local.get $code))))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))))"#;
    let site = Site::new();
    let folder = site.write("modules/file", "text");
    let folder = folder.parent().expect("a folder");
    let manifest = format!("[grants]\ndirs = [{{ host = {folder:?}, guest = \"/\" }}]");
    site.write("m.toml", manifest);
    assert_eq!(run(&site, text, "run"), "");
}

/// Case W4: exceptions, which every module may use.
#[test]
fn exceptions_are_thrown_and_caught() {
    let text = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $x (param i32)))
        (memory (export "memory") 1) (tag $t)
        (func (export "_start") (block $b (try_table (catch $t $b) (throw $t)) (call $x (i32.const 3)))))"#;
    assert_eq!(run(&Site::new(), text, "run"), "");
}

/// Case W4: features that an operator must allow.
#[test]
fn collected_objects_and_64_bit_memories_run_where_they_are_allowed() {
    let gc = r#"(module (type $s (struct (field i32))) (memory (export "memory") 1)
        (func (export "_start") (drop (struct.new $s (i32.const 1)))))"#;
    let memory64 = r#"(module (memory (export "memory") i64 1) (func (export "_start")))"#;
    let plain = Site::new();
    for (text, name) in [(gc, "gc"), (memory64, "memory64")] {
        let reason = refused(&plain, &assemble(text));
        assert!(
            reason.contains(&format!("(`{name}`), which this worker doesn't allow"))
                && reason.contains("wasm_features"),
            "{reason}"
        );
        let site = Site::new().set("CHICORY_WORKER_WASM_FEATURES", name);
        assert_eq!(run(&site, text, "run"), "");
    }
}

/// Case W4: a task's memory limit holds for collected objects and for 64-bit memories.
#[test]
fn the_memory_limit_holds_over_collected_objects_and_64_bit_memories() {
    let gc = r#"(module (type $s (array (mut i64))) (memory (export "memory") 1)
        (func (export "_start")
            (local $kept (ref $s)) (local.set $kept (array.new $s (i64.const 7) (i32.const 1000000)))
            (drop (array.get $s (local.get $kept) (i32.const 1)))))"#;
    let memory64 = r#"(module (memory (export "memory") i64 1)
        (func (export "_start")
            (if (i64.eq (memory.grow (i64.const 100)) (i64.const -1)) (then unreachable))))"#;
    let site = Site::new().set("CHICORY_WORKER_WASM_FEATURES", "gc,memory64");
    for text in [gc, memory64] {
        let file = module(&site, text);
        let file = file.to_str().expect("a plain name");
        site.write("m.toml", "[limits]\nmemory = \"64MiB\"");
        site.run(&["run", file, "run"]).ok();
        site.write("m.toml", "[limits]\nmemory = \"1MiB\"");
        let ran = site.run(&["run", file, "run"]);
        assert!(ran.fails(1).contains("OutOfMemory"), "{ran:?}");
    }
}

/// Case W8: an interface that this host has, with a function that it hasn't, and one that it hasn't at all.
#[test]
fn inspect_says_which_imports_can_not_be_linked() {
    let site = Site::new();
    let import = |name: &str| format!(r#"(import "{name}" (instance (export "nope" (func))))"#);
    let wrong = answering("", &import("wasi:cli/stdout@0.2.0"));
    let said = refused(&site, &wrong);
    assert!(
        said.contains("it can't be linked") && said.contains("`nope`"),
        "{said}"
    );
    let unknown = answering("", &import("acme:x/y@1.0.0"));
    let said = refused(&site, &unknown);
    assert!(
        said.contains("it imports acme:x/y@1.0.0, which this host doesn't have"),
        "{said}"
    );
    let program = assemble(
        r#"(module (import "env" "f" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    );
    let said = refused(&site, &program);
    assert!(said.contains("it imports env.f, which"), "{said}");
    // It is described all the same.
    let file = site.write("m.wasm", unknown);
    let ran = site.run(&["inspect", file.to_str().expect("a plain name"), "--json"]);
    let body: Value = serde_json::from_str(&ran.stdout).expect("a description");
    assert_eq!(body["tasks"][0]["name"], "f");
    assert!(
        body["problem"]
            .as_str()
            .is_some_and(|text| text.contains("acme:x/y@1.0.0"))
    );
}

/// Case W8: a file that was cut off.
#[test]
fn a_truncated_module_is_damaged() {
    let site = Site::new();
    let mut wasm = answering("", "");
    wasm.truncate(wasm.len() - 10);
    let said = refused(&site, &wasm);
    assert!(
        said.contains("the module can't be read: it is damaged: unexpected end"),
        "{said}"
    );
}

/// Case W8: more memories, or a larger one, than a worker has room for.
#[test]
fn the_number_of_memories_is_a_setting() {
    let site = Site::new();
    let many = answering("(memory 1)(memory 1)(memory 1)(memory 1)(memory 1)", "");
    let said = refused(&site, &many);
    let reason = "it has 5 memories, and this worker has room for 4; raise its max_memories";
    assert!(said.contains(reason), "{said}");
    let large = answering("(memory 5000)", "");
    let said = refused(&site, &large);
    assert!(
        said.contains("it has 327680000 bytes in a memory at the start"),
        "{said}"
    );
    let roomy = Site::new().set("CHICORY_WORKER_MAX_MEMORIES", "5");
    let file = roomy.write("m.wasm", many);
    assert_eq!(
        roomy
            .run(&["run", file.to_str().expect("a plain name"), "f"])
            .ok(),
        "1"
    );
}

/// Some programs that packages ship have more than 64 MiB.
#[test]
fn the_size_of_a_module_is_a_setting() {
    let padded = answering(
        "",
        &format!("(@custom \"padding\" \"{}\")", "x".repeat(4096)),
    );
    let small = Site::new().set("CHICORY_WORKER_MAX_MODULE_SIZE", "4KiB");
    let said = refused(&small, &padded);
    let reason = format!(
        "it has {} bytes, and this worker accepts modules of up to 4096; build it smaller, or raise the worker's max_module_size",
        padded.len()
    );
    assert!(said.contains(&reason), "{said}");
    let roomy = small.set("CHICORY_WORKER_MAX_MODULE_SIZE", "8KiB");
    let file = roomy.write("m.wasm", padded);
    let file = file.to_str().expect("a plain name");
    assert_eq!(roomy.run(&["run", file, "f"]).ok(), "1");
}

/// Case W8, for tables and core instances.
#[test]
fn the_numbers_of_tables_and_instances_are_settings() {
    let tables = Site::new().set("CHICORY_WORKER_MAX_TABLES", "1");
    let said = refused(
        &tables,
        &answering("(table 1 funcref)(table 1 funcref)", ""),
    );
    assert!(said.contains("it has 2 tables"), "{said}");
    assert!(said.contains("raise its max_tables"), "{said}");
    let instances = Site::new().set("CHICORY_WORKER_MAX_INSTANCES", "1");
    let two = assemble(
        r#"(component
          (core module $m (func (export "f") (result i32) (i32.const 1)))
          (core instance $a (instantiate $m))
          (core instance $b (instantiate $m))
          (func (export "f") (result u32) (canon lift (core func $b "f"))))"#,
    );
    let said = refused(&instances, &two);
    assert!(said.contains("instances"), "{said}");
}

/// A program that copies its input to its output.
const CAT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1000))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Case W2: what a program reads and writes is bytes, on a worker too.
#[test]
fn the_bytes_of_a_programs_input_and_output_are_kept() {
    let site = Site::new();
    site.write("modules/cat.wasm", assemble(CAT));
    let _worker = site.worker(&[]);
    let bytes = json!({ "base64": "iVBOR//+AIA=" });
    let call =
        |kwargs: Value| site.call(&["cat.run", "--kwargs", &kwargs.to_string()])["result"].clone();
    assert_eq!(call(json!({ "stdin": "text é" })), "text é");
    assert_eq!(call(json!({ "stdin": bytes })), bytes);
    let text = json!({ "stdin": "a", "stdout": "base64" });
    assert_eq!(call(text), json!({ "base64": "YQ==" }));
    let replaced = json!({ "stdin": bytes, "stdout": "text" });
    assert_eq!(call(replaced), "\u{fffd}PNG\u{fffd}\u{fffd}\0\u{fffd}");
    let wrong = [
        "enqueue",
        "cat.run",
        "--kwargs",
        r#"{"stdout": "hex"}"#,
        "--wait",
    ];
    let refused = site.run(&wrong);
    assert!(
        refused.fails(1).contains("kwargs.stdout: expected"),
        "{refused:?}"
    );
}
