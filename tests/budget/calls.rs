//! Instructions of one call in a fresh sandbox, counted by valgrind's callgrind.
//!
//! This program runs itself under callgrind, once with some calls and once with many: the difference
//! excludes whatever is done only once. Must not know queues.

use chicory_testing::components::assemble;
use std::process::Command;
use std::sync::Arc;

use chicory_runtime::{How, Invocation, LoadRequest, ModuleSettings, Sandbox, SandboxConfig};

use crate::MODULE;

/// The argument that makes this program one that only calls.
pub(crate) const ARGUMENT: &str = "make-calls";

const SOME: u32 = 200;
const MANY: u32 = 1200;

/// Makes calls, one after the other, on one thread.
pub(crate) fn make(count: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be started");
    runtime.block_on(async {
        let sandbox = Sandbox::new(SandboxConfig {
            concurrency: 1,
            ..SandboxConfig::default()
        });
        let sandbox = sandbox.expect("a pool can be reserved");
        let loading = sandbox.load(LoadRequest {
            name: "bench".into(),
            wasm: assemble(MODULE),
            settings: ModuleSettings::default(),
        });
        let module = loading.await.expect("the module is valid");
        let task = module.task("add").expect("the module has add");
        for number in 0..count {
            let arguments = vec![number.into(), 1.into()].into();
            let invocation = Invocation::new(Arc::clone(task), arguments);
            let ended = sandbox.run(invocation).await;
            assert!(matches!(ended.how, How::Returned(_)), "{}", ended.how);
        }
    });
}

/// Instructions per call, or why they can't be counted here.
pub(crate) fn instructions() -> Result<f64, String> {
    let counted = counted(MANY)? - counted(SOME)?;
    Ok(counted / f64::from(MANY - SOME))
}

fn counted(calls: u32) -> Result<f64, String> {
    let program = std::env::current_exe().expect("a program knows its file");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([ARGUMENT, &calls.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}; scripts/setup valgrind installs it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let total = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .filter(|_| output.status.success())
        .unwrap_or_else(|| panic!("callgrind failed, {}: {said}", output.status));
    Ok(total
        .1
        .trim()
        .parse()
        .expect("callgrind's total is a number"))
}
