//! Guests in the text format, and a sandbox to run them in.

use std::sync::Arc;
use std::time::Duration;

use chicory_runtime::{
    Arguments, Ended, How, Invocation, LoadError, LoadRequest, Module, ModuleSettings, RawJson,
    Sandbox, SandboxConfig,
};
use serde_json::{Value, json};

/// A small sandbox, without a cache.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(config()).unwrap()
}

/// Its settings.
pub(crate) fn config() -> SandboxConfig {
    SandboxConfig {
        concurrency: 4,
        max_memory: 64 << 20,
        compile_timeout: Duration::from_mins(10),
        ..SandboxConfig::default()
    }
}

/// Loads a module in the text format, with a manifest as JSON.
pub(crate) async fn load(
    sandbox: &Sandbox,
    text: &str,
    manifest: Value,
) -> Result<Arc<Module>, LoadError> {
    let settings: ModuleSettings = serde_json::from_value(manifest).unwrap();
    let wasm = wat::parse_str(text).unwrap();
    sandbox
        .load(LoadRequest {
            name: "guest".into(),
            wasm,
            settings,
        })
        .await
}

/// Calls a task with an array of arguments and an object of named ones.
pub(crate) async fn call(
    sandbox: &Sandbox,
    module: &Module,
    task: &str,
    args: Value,
    kwargs: Value,
) -> Ended {
    sandbox.run(invocation(module, task, args, kwargs)).await
}

/// The same, as a value.
pub(crate) fn invocation(module: &Module, task: &str, args: Value, kwargs: Value) -> Invocation {
    let task = module
        .task(task)
        .unwrap_or_else(|| panic!("no task {task} in {module:?}"));
    let mut arguments = Arguments::default();
    arguments.set_args(RawJson::from(args)).unwrap();
    arguments.set_kwargs(RawJson::from(kwargs)).unwrap();
    Invocation::new(Arc::clone(task), arguments)
}

/// Loads a module and calls one task without arguments.
pub(crate) async fn run(text: &str, task: &str, manifest: Value) -> Ended {
    let sandbox = sandbox();
    let module = load(&sandbox, text, manifest).await.unwrap();
    call(&sandbox, &module, task, json!([]), json!({})).await
}

/// The result of a task that returned.
pub(crate) fn returned(ended: &Ended) -> Value {
    match &ended.how {
        How::Returned(json) => serde_json::from_str(json.get()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A component around core functions without parameters or results, each exported by its name.
pub(crate) fn plain(core: &str, functions: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut text =
        format!("(component (core module $m {core}) (core instance $i (instantiate $m))");
    for name in functions {
        write!(
            text,
            "(func (export \"{name}\") (canon lift (core func $i \"{name}\")))"
        )
        .unwrap();
    }
    text + ")"
}

/// A memory, and an allocator that never frees.
pub(crate) const MEMORY: &str = r#"
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at
            (i32.and (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
                     (i32.sub (i32.const 0) (local.get 2))))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (local.get $at))"#;
