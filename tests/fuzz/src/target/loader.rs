//! Modules for the sandbox: from bytes to tasks that are called, with the compiler in a process of its own.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chicory_runtime::{
    Arguments, Compiler, Invocation, Limits, LoadRequest, Module, ModuleSettings, Sandbox,
    SandboxConfig, custom_section, own_custom_section, to_component, with_custom_section,
    without_custom_section,
};
use tokio::runtime::Runtime;
use wasmparser::Parser;

use super::Target;
use crate::edited::Edited;
use crate::input;
use crate::seeds::seeds;

/// Reading sections and making a component of a program have an answer for any bytes, in this process.
pub(super) const SECTIONS: Target = Target {
    name: "sections",
    check_seeds: || assert!(SEEDS.iter().all(|seed| sections(seed.clone()))),
    run: |bytes| {
        if let Some(edited) = input::<Edited>(bytes) {
            sections(edited.bytes(&SEEDS));
        }
    },
};

/// A module is refused with a reason, or its tasks end within their limits.
pub(super) const LOADER: Target = Target {
    name: "loader",
    check_seeds: || {
        let mut modules = SEEDS.iter().map(|seed| load(seed.clone()));
        assert!(
            modules.any(|module| module.is_some()),
            "a seed can be loaded"
        );
    },
    run: |bytes| {
        if let Some(edited) = input::<Edited>(bytes)
            && let Some(module) = load(edited.bytes(&SEEDS))
        {
            call_each(&module);
        }
    },
};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds("modules"));

/// A section of ours.
const SECTION: &str = "chicory-manifest";

/// Whether the bytes have sections that can be read.
fn sections(wasm: Vec<u8>) -> bool {
    let is_wasm = Parser::is_component(&wasm) || Parser::is_core_wasm(&wasm);
    let without = without_custom_section(&wasm, SECTION);
    let _ = to_component(wasm);
    let Ok(without) = without else {
        return false;
    };
    if !is_wasm {
        return false;
    }
    let with = with_custom_section(without, SECTION, b"contents");
    // That of the module itself; what is inside it may be damaged.
    let own = own_custom_section(&with, SECTION).unwrap();
    assert_eq!(own.as_deref(), Some(&b"contents"[..]));
    let _ = custom_section(&with, SECTION);
    true
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let compiler = Compiler {
        program: compiler(),
        args: Vec::new(),
        max_memory: 512 << 20,
    };
    let config = SandboxConfig {
        concurrency: 2,
        max_memory: 16 << 20,
        compiler: Some(compiler),
        compile_timeout: Duration::from_secs(10),
        ..SandboxConfig::default()
    };
    Sandbox::new(config).unwrap()
});

/// The program of `compiler.rs`, which is built into the same folder as this one or the one above it.
fn compiler() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let mut folders = this.ancestors().skip(1).take(2);
    let program = folders.find_map(|folder| {
        let program = folder.join("fuzz-compiler");
        program.exists().then_some(program)
    });
    program.unwrap_or_else(|| panic!("fuzz-compiler is not beside {}", this.display()))
}

fn load(wasm: Vec<u8>) -> Option<Arc<Module>> {
    let limits = Limits {
        timeout: Some(0.05),
        ..Limits::default()
    };
    let settings = ModuleSettings {
        limits,
        ..ModuleSettings::default()
    };
    let request = LoadRequest {
        name: "fuzzed".into(),
        wasm,
        settings,
    };
    match RUNTIME.block_on(SANDBOX.load(request)) {
        Ok(module) => Some(module),
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() < 32 << 10, "an error of {} bytes", said.len());
            None
        }
    }
}

/// Without arguments: most tasks refuse that, and those that need none run.
fn call_each(module: &Module) {
    for task in module.tasks() {
        let invocation = Invocation::new(Arc::clone(task), Arguments::default());
        RUNTIME.block_on(SANDBOX.run(invocation));
    }
}
