//! Engines: how guests are compiled, where their memories live, and the clock that stops them.
//!
//! There are up to eight, because fuel, the component model's async and a collected heap make every call a little
//! slower: a module gets the plainest engine that can run it. Must not know tasks, grants or JSON.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::features::{Features, Needs};
use crate::ticker::{TICK, Ticker};

/// Maximum number of elements of one table.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// A call's stack: wasm may use half of it, and host functions the rest. It is cleared after each call. The
/// top, which most calls never leave, is overwritten with zeros; the rest is returned to the kernel, which
/// takes longer the larger it is.
const STACK: usize = 1 << 20;
const STACK_KEPT: usize = 16 << 10;

/// How many bytes of a memory are restored from its image after a call. The rest is returned to the kernel.
pub(crate) const MEMORY_KEPT: usize = 4 << 20;

/// How many regions are returned to the kernel at a time, in one system call if the kernel supports it.
/// Nothing is reused before that.
const GIVEN_BACK: usize = 8;

/// The engines of one sandbox, each created when it is first needed.
pub(crate) struct Engines {
    pub(crate) size: PoolSize,
    pub(crate) source_lines: bool,
    made: Arc<[OnceLock<Engine>; 8]>,
    /// At each tick, a guest is checked for its limits and made to yield to the executor.
    pub(crate) ticker: Arc<Ticker>,
}

/// The size of the pools.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSize {
    /// Calls at the same time.
    pub(crate) calls: u32,
    /// Bytes of one memory.
    pub(crate) memory: usize,
    /// What one module may have.
    pub(crate) shape: Shape,
}

/// Maximum number of core instances, memories and tables of one module, those of the components inside it included.
/// They bound the address space that a worker reserves: about 4 GiB for each memory of each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Linear memories. Compilers make one; a component that is composed of others has as many as they have.
    pub memories: u32,
    /// Tables. A language runtime with dynamic linking has tens.
    pub tables: u32,
    /// Instances of core modules. A language runtime with dynamic linking has tens.
    pub instances: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            memories: 4,
            tables: 40,
            instances: 200,
        }
    }
}

impl Engines {
    /// Creates the plain engine, and starts the thread that ticks while guests run. With
    /// `source_lines`, backtraces read the modules' DWARF.
    pub(crate) fn start(size: PoolSize, source_lines: bool) -> wasmtime::Result<Arc<Engines>> {
        let made = Arc::<[OnceLock<Engine>; 8]>::default();
        let ticked = Arc::clone(&made);
        let tick = move || {
            for engine in ticked.iter().filter_map(OnceLock::get) {
                engine.increment_epoch();
            }
        };
        let engines = Engines {
            size,
            source_lines,
            made,
            ticker: Ticker::start(tick)?,
        };
        engines.get(Needs::default())?;
        Ok(Arc::new(engines))
    }

    /// The engine for these needs.
    pub(crate) fn get(&self, needs: Needs) -> wasmtime::Result<&Engine> {
        let slot = &self.made[needs.index()];
        if slot.get().is_none() {
            // Two callers at once may both create one; the second is dropped.
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

/// A number that differs between engines that can't use each other's compiled code, and where modules may use
/// other features.
pub(crate) fn fingerprint(engine: &Engine, features: Features) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    features.hash(&mut hasher);
    hasher.finish()
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.ticker.stop();
    }
}

/// An engine that compiles for engines with these needs. It runs nothing, so it has no pool.
pub(crate) fn compiling_engine(needs: Needs, source_lines: bool) -> wasmtime::Result<Engine> {
    Engine::new(&generating(needs, source_lines))
}

fn configure(size: PoolSize, needs: Needs, source_lines: bool) -> Config {
    let mut config = generating(needs, source_lines);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(size, needs)));
    config
}

/// All settings that influence the generated code.
fn generating(needs: Needs, source_lines: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(needs.fuel)
        .concurrency_support(needs.concurrency)
        .async_stack_zeroing(true)
        .async_stack_size(STACK)
        .cranelift_opt_level(OptLevel::Speed)
        // Reading a hostile module's DWARF at a trap could take seconds. For workers, names are enough.
        .wasm_backtrace_details(if source_lines {
            WasmBacktraceDetails::Enable
        } else {
            WasmBacktraceDetails::Disable
        })
        .gc_support(needs.references)
        .wasm_exceptions(needs.references)
        // Changes nothing for other memories. Whether a module may have one is checked before it is compiled.
        .wasm_memory64(true)
        .wasm_component_model(true);
    if needs.concurrency {
        config.wasm_component_model_async(true);
    }
    config
}

fn pool(size: PoolSize, needs: Needs) -> PoolingAllocationConfig {
    let Shape {
        memories,
        tables,
        instances,
    } = size.shape;
    // A collected heap lives in a memory's place.
    let heaps = u32::from(needs.references);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(size.calls)
        .total_core_instances(size.calls.saturating_mul(instances))
        .total_memories(size.calls.saturating_mul(memories.saturating_add(heaps)))
        .total_gc_heaps(size.calls.saturating_mul(heaps))
        .total_tables(size.calls.saturating_mul(tables))
        .total_stacks(size.calls.saturating_mul(4))
        .max_core_instances_per_component(instances)
        .max_memories_per_component(memories)
        .max_memories_per_module(memories)
        .max_tables_per_component(tables)
        .max_tables_per_module(tables)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(size.memory)
        // Resetting a slot is cheaper than returning it to the kernel, and using another module's slot costs
        // a mapping. The pool divides these among threads, and each thread keeps slots of all modules that it
        // runs.
        .max_unused_warm_slots(size.calls.saturating_mul(4))
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(8 << 10)
        .async_stack_keep_resident(STACK_KEPT)
        .decommit_batch_size(GIVEN_BACK)
        .pagemap_scan(Enabled::Auto);
    pool
}
