//! What of this machine a worker uses: folders, and features of the kernel and the processor.
//!
//! Must not know the broker.

use std::path::Path;

use chicory_admin::Finding;
use chicory_confine::{Confinement, SystemCalls};
use chicory_runtime::PrivateFolder;
use chicory_runtime::wasmtime::PoolingAllocationConfig;
use chicory_signature::with_causes;

use crate::config::{Config, WorkerSettings};
use crate::machine;

/// All of it.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let worker = &config.worker;
    vec![
        modules(worker),
        cache(worker),
        memory(worker),
        landlock(),
        pagemap_scan(),
        protection_keys(),
    ]
}

fn modules(worker: &WorkerSettings) -> Finding {
    let folder = worker.modules.as_path();
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let is_module = |path: &Path| path.extension().is_some_and(|kind| kind == "wasm");
            let count = paths.filter(|path| is_module(path)).count();
            Finding::ok("modules", format!("{count} in {}", folder.display()))
        }
        Err(_) if !worker.modules_named => {
            Finding::ok("modules", "no folder: workers run what is deployed")
        }
        Err(error) => Finding::error(
            "modules",
            format!("{}: {error}", folder.display()),
            "create the folder, or set another one with --modules",
        ),
    }
}

fn cache(worker: &WorkerSettings) -> Finding {
    let advice = "set CHICORY_WORKER_CACHE_DIR to a folder of this user's; without one, modules are compiled at each start";
    let Some(folder) = &worker.cache_dir else {
        return Finding::warning("cache", "no folder", advice);
    };
    match PrivateFolder::open(folder, worker.cache_size) {
        Ok(_) => Finding::ok("cache", folder.display().to_string()),
        Err(error) => Finding::warning("cache", with_causes(&error), advice),
    }
}

fn memory(worker: &WorkerSettings) -> Finding {
    let Some(bytes) = machine::memory() else {
        return Finding::warning(
            "machine",
            "its memory is not known",
            "set CHICORY_WORKER_PROCESS_MEMORY",
        );
    };
    let text = format!(
        "{} MiB of memory, {} threads for tasks",
        bytes >> 20,
        worker.threads
    );
    match worker.process_memory {
        Some(most) if most > bytes => Finding::warning(
            "machine",
            format!("{text}, but process_memory is {} MiB", most >> 20),
            "lower CHICORY_WORKER_PROCESS_MEMORY, or the kernel may end workers",
        ),
        _ => Finding::ok("machine", text),
    }
}

fn landlock() -> Finding {
    match Confinement::new(SystemCalls::Service).lacking() {
        Ok(lacking) if lacking.is_empty() => {
            Finding::ok("confinement", "workers and compilers can be confined fully")
        }
        Ok(lacking) => {
            let named = lacking
                .iter()
                .map(|lack| format!("{} (needs {})", lack.what, lack.needs));
            Finding::warning(
                "confinement",
                format!(
                    "this kernel can't take away {}",
                    named.collect::<Vec<_>>().join(", ")
                ),
                "use a newer kernel, if strangers' modules run here",
            )
        }
        Err(error) => Finding::error(
            "confinement",
            with_causes(&error),
            "allow Landlock and seccomp: without them, no module can be compiled",
        ),
    }
}

fn pagemap_scan() -> Finding {
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        return Finding::ok("pagemap_scan", "found: interpreted guests start quickly");
    }
    Finding::warning(
        "pagemap_scan",
        "not found: tasks in Python and JavaScript take up to twice the time",
        "use Linux 6.7 or later",
    )
}

fn protection_keys() -> Finding {
    let found = PoolingAllocationConfig::are_memory_protection_keys_available();
    let text = if found {
        "found: sandboxes need less address space"
    } else {
        "not found: sandboxes need more address space, which is no harm"
    };
    Finding::ok("memory keys", text)
}
