//! Engines: how guests are compiled and where their memories live, and the clock that stops them.
//!
//! There are up to four, since fuel and the component model's async cost every call a little: a
//! module gets the plainest one that can run it. Must not know tasks, grants or JSON.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

/// How often a guest is asked whether it should stop, and made to yield to the executor.
const TICK: Duration = Duration::from_millis(2);

/// Core instances, memories and tables that one component may have. A language runtime with
/// dynamic linking has tens of instances and tables, and one memory.
const INSTANCES: u32 = 100;
const MEMORIES: u32 = 4;
const TABLES: u32 = 40;

/// A call's stack: wasm may use half of it, the host's functions the rest. It is cleared after each call:
/// the uppermost part, which most calls don't leave, by writing zeros; the rest is given back to the
/// kernel, which takes the longer the larger it is.
const STACK: usize = 1 << 20;
const STACK_KEPT: usize = 16 << 10;

/// Bytes of a memory that are copied back from its image after a call; more is given back to the kernel.
pub(crate) const MEMORY_KEPT: usize = 4 << 20;

/// Regions that are given back to the kernel at a time: one system call for all of them, where the
/// kernel knows it. Nothing is used again before.
const GIVEN_BACK: usize = 8;

/// What a module needs of its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Counting fuel.
    pub(crate) fuel: bool,
    /// The component model's async.
    pub(crate) concurrency: bool,
}

/// The engines of one sandbox, each made when first needed.
pub(crate) struct Engines {
    size: PoolSize,
    pub(crate) source_lines: bool,
    made: [OnceLock<Engine>; 4],
}

/// What the pools are made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSize {
    /// Calls at the same time.
    pub(crate) calls: u32,
    /// Bytes of one memory.
    pub(crate) memory: usize,
}

impl Engines {
    /// Makes the plain engine, and starts the thread that ticks. It stops when the engines are dropped.
    /// With `source_lines`, backtraces read the modules' DWARF.
    pub(crate) fn start(size: PoolSize, source_lines: bool) -> wasmtime::Result<Arc<Engines>> {
        let engines = Arc::new(Engines {
            size,
            source_lines,
            made: Default::default(),
        });
        engines.get(Needs::default())?;
        let weak = Arc::downgrade(&engines);
        thread::Builder::new()
            .name("chicory-epoch".into())
            .spawn(move || tick(&weak))?;
        Ok(engines)
    }

    /// The engine for these needs.
    pub(crate) fn get(&self, needs: Needs) -> wasmtime::Result<&Engine> {
        let slot = &self.made[usize::from(needs.fuel) + 2 * usize::from(needs.concurrency)];
        if slot.get().is_none() {
            // Two callers at once may both make one; the second is dropped again.
            let _ = slot.set(Engine::new(&configure(
                self.size,
                needs,
                self.source_lines,
            ))?);
        }
        Ok(slot.get().expect("it was set above"))
    }

    /// What was found on this machine, for the start-up log.
    pub(crate) fn describe(&self) -> String {
        let found = |yes| if yes { "yes" } else { "no" };
        format!(
            "wasmtime pool for {} calls, {} MiB each; pagemap_scan: {}, memory protection keys: {}, tick: {} ms",
            self.size.calls,
            self.size.memory >> 20,
            found(PoolingAllocationConfig::is_pagemap_scan_available()),
            found(PoolingAllocationConfig::are_memory_protection_keys_available()),
            TICK.as_millis(),
        )
    }
}

/// A number that changes whenever compiled code of this engine would not be understood by another.
pub(crate) fn fingerprint(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn tick(engines: &Weak<Engines>) {
    loop {
        thread::sleep(TICK);
        let Some(engines) = engines.upgrade() else {
            return;
        };
        for engine in engines.made.iter().filter_map(OnceLock::get) {
            engine.increment_epoch();
        }
    }
}

/// An engine that compiles for those with these needs and runs nothing, so it has no pool.
pub(crate) fn compiling_engine(needs: Needs, source_lines: bool) -> wasmtime::Result<Engine> {
    Engine::new(&generating(needs, source_lines))
}

fn configure(size: PoolSize, needs: Needs, source_lines: bool) -> Config {
    let mut config = generating(needs, source_lines);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(size)));
    config
}

/// All that decides what code is made.
fn generating(needs: Needs, source_lines: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(needs.fuel)
        .concurrency_support(needs.concurrency)
        .async_stack_zeroing(true)
        .async_stack_size(STACK)
        .cranelift_opt_level(OptLevel::Speed)
        // Reading a hostile module's DWARF at a trap could take seconds; to workers, names suffice.
        .wasm_backtrace_details(if source_lines {
            WasmBacktraceDetails::Enable
        } else {
            WasmBacktraceDetails::Disable
        })
        .wasm_memory64(false)
        .wasm_component_model(true);
    if needs.concurrency {
        config.wasm_component_model_async(true);
    }
    config
}

fn pool(size: PoolSize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(size.calls)
        .total_core_instances(size.calls.saturating_mul(INSTANCES))
        .total_memories(size.calls.saturating_mul(MEMORIES))
        .total_tables(size.calls.saturating_mul(TABLES))
        .total_stacks(size.calls.saturating_mul(4))
        .max_core_instances_per_component(INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(100_000)
        .max_memory_size(size.memory)
        // Resetting a slot is cheaper than giving it back to the kernel, and another module's costs a mapping.
        // The pool splits these among threads, and each has the slots of all modules that it runs.
        .max_unused_warm_slots(size.calls.saturating_mul(4))
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(8 << 10)
        .async_stack_keep_resident(STACK_KEPT)
        .decommit_batch_size(GIVEN_BACK)
        .pagemap_scan(Enabled::Auto);
    pool
}
