//! Micro-benchmarks of the sandbox: instantiate and call, each type from JSON through WIT and back, and
//! calls of many modules in turn.
//!
//! Each call is in a fresh sandbox, as every task is, so a type's own cost is its figure minus
//! `nothing`'s.

use std::sync::Arc;
use std::time::Duration;

use chicory_runtime::{
    Arguments, How, Invocation, LoadRequest, Module, ModuleSettings, Sandbox, SandboxConfig, Task,
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

/// One function for each type gives back what it was given: as it is, or by way of memory.
const MIRRORS: &str = r#"(component
    (core module $m
        (memory (export "memory") 4)
        (global $heap (mut i32) (i32.const 1024))
        (func (export "nothing"))
        (func (export "one") (param i32) (result i32) (local.get 0))
        (func (export "long") (param i64) (result i64) (local.get 0))
        (func (export "float") (param f64) (result f64) (local.get 0))
        (func (export "two") (param i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0))
            (i32.store (i32.const 20) (local.get 1))
            (i32.const 16))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $heap
                (i32.and (i32.add (global.get $heap) (i32.add (local.get 3) (i32.const 7))) (i32.const -8)))
            (i32.and (i32.sub (global.get $heap) (local.get 3)) (i32.const -8))))
    (core instance $i (instantiate $m))
    (type $point' (record (field "x" u32) (field "y" u32))) (export $point "point" (type $point'))
    (type $shape' (variant (case "circle" u32) (case "square" u32))) (export $shape "shape" (type $shape'))
    (type $colour' (enum "red" "green" "blue")) (export $colour "colour" (type $colour'))
    (type $rights' (flags "read" "write" "run")) (export $rights "rights" (type $rights'))
    (func (export "nothing") (canon lift (core func $i "nothing")))
    (func (export "bool") (param "x" bool) (result bool) (canon lift (core func $i "one")))
    (func (export "u32") (param "x" u32) (result u32) (canon lift (core func $i "one")))
    (func (export "s64") (param "x" s64) (result s64) (canon lift (core func $i "long")))
    (func (export "f64") (param "x" f64) (result f64) (canon lift (core func $i "float")))
    (func (export "char") (param "x" char) (result char) (canon lift (core func $i "one")))
    (func (export "enum") (param "x" $colour) (result $colour) (canon lift (core func $i "one")))
    (func (export "flags") (param "x" $rights) (result $rights) (canon lift (core func $i "one")))
    (func (export "option") (param "x" (option u32)) (result (option u32))
        (canon lift (core func $i "two") (memory (core memory $i "memory"))))
    (func (export "result") (param "x" (result u32 (error u32))) (result (result u32 (error u32)))
        (canon lift (core func $i "two") (memory (core memory $i "memory"))))
    (func (export "tuple") (param "x" (tuple u32 u32)) (result (tuple u32 u32))
        (canon lift (core func $i "two") (memory (core memory $i "memory"))))
    (func (export "record") (param "x" $point) (result $point)
        (canon lift (core func $i "two") (memory (core memory $i "memory"))))
    (func (export "variant") (param "x" $shape) (result $shape)
        (canon lift (core func $i "two") (memory (core memory $i "memory"))))
    (func (export "string") (param "x" string) (result string)
        (canon lift (core func $i "two") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
    (func (export "bytes") (param "x" (list u8)) (result (list u8))
        (canon lift (core func $i "two") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
    (func (export "numbers") (param "x" (list u32)) (result (list u32))
        (canon lift (core func $i "two") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
    (func (export "records") (param "x" (list $point)) (result (list $point))
        (canon lift (core func $i "two") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

/// A value for each function, by the function's name; a second part of the name says what is special.
fn values() -> Vec<(&'static str, Value)> {
    let point = json!({"x": 3, "y": 4});
    vec![
        ("bool", json!(true)),
        ("u32", json!(7)),
        ("s64", json!(-7)),
        ("f64", json!(0.5)),
        ("char", json!("é")),
        ("enum", json!("green")),
        ("flags", json!(["read", "run"])),
        ("option", json!(7)),
        ("result", json!({"ok": 7})),
        ("tuple", json!([3, 4])),
        ("record", point.clone()),
        ("variant", json!({"circle": 7})),
        ("string/10 B", json!("0123456789")),
        ("string/10 KB", json!("x".repeat(10_000))),
        ("bytes/10 KB", json!("AAEC".repeat(3333))),
        ("numbers/1000", json!((0..1000).collect::<Vec<u32>>())),
        ("records/1000", json!(vec![point; 1000])),
    ]
}

/// As many tasks at once as the queue's benchmark has, so that the pool has as many slots.
const CONCURRENCY: usize = 1024;

/// A sandbox with modules that differ in nothing but a name, on one thread.
struct Fixture {
    runtime: Runtime,
    sandbox: Sandbox,
    modules: Vec<Arc<Module>>,
}

impl Fixture {
    fn new(modules: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be started");
        let sandbox = Sandbox::new(SandboxConfig {
            concurrency: CONCURRENCY,
            max_memory: 64 << 20,
            compile_timeout: Duration::from_mins(10),
            ..SandboxConfig::default()
        });
        let sandbox = sandbox.expect("a pool can be reserved");
        let load = |number: usize| {
            let name = format!("mirrors-{number}");
            let text = MIRRORS.replace("(core module $m", &format!("(core module ${name}"));
            let text = text.replace("(instantiate $m)", &format!("(instantiate ${name})"));
            let loading = sandbox.load(LoadRequest {
                name,
                wasm: wat::parse_str(text).expect("the module is well-formed"),
                settings: ModuleSettings::default(),
            });
            runtime.block_on(loading).expect("the module is valid")
        };
        Self {
            modules: (0..modules).map(load).collect(),
            runtime,
            sandbox,
        }
    }

    async fn call(&self, task: &Arc<Task>, arguments: Arguments) {
        let invocation = Invocation::new(Arc::clone(task), arguments);
        let ended = self.sandbox.run(invocation).await;
        assert!(matches!(ended.how, How::Returned(_)), "{}", ended.how);
    }

    /// Calls the function of each module in turn.
    fn bench(&self, c: &mut Criterion, name: &str, function: &str, args: &[Value]) {
        let task =
            |module: &Arc<Module>| Arc::clone(module.task(function).expect("it has the task"));
        let tasks: Vec<_> = self.modules.iter().map(task).collect();
        let mut turns = tasks.iter().cycle();
        let arguments = Arguments::from(args.to_vec());
        c.bench_function(name, |b| {
            b.to_async(&self.runtime)
                .iter(|| self.call(turns.next().expect("a cycle has no end"), arguments.clone()));
        });
    }
}

fn calls(c: &mut Criterion) {
    let fixture = Fixture::new(1);
    fixture.bench(c, "call/nothing", "nothing", &[]);
    for (name, value) in values() {
        let function = name.split('/').next().unwrap_or(name);
        fixture.bench(c, &format!("call/{name}"), function, &[value]);
    }
}

fn modules(c: &mut Criterion) {
    for count in [1, 10, 100, 1000] {
        Fixture::new(count).bench(c, &format!("modules/{count}"), "u32", &[json!(7)]);
    }
}

criterion_group!(sandbox, calls, modules);
criterion_main!(sandbox);
