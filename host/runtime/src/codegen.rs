//! A module's machine code: from the cache, or compiled now, in this process or a separate one.
//!
//! Must not know grants or tasks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Component;
use wasmtime::{Engine, ResourcesRequired};

use crate::bounds::{self, Unfit};
use crate::compile::{NotCompiled, Produced, Terms, compile};
use crate::compiler::Compiler;
use crate::disk_cache::{CacheLock, DiskCache};
use crate::engine::{Engines, PoolSize, TABLE_ELEMENTS, compiling_engine, fingerprint};
use crate::error::{InvalidModule, LoadError};
use crate::features::{Features, Needs};
use crate::request::ModuleSource;
use crate::wrap::Form;

/// How many times longer than its CPU time a compilation in a separate process may take. Tasks have priority
/// over it, so on a busy machine it mostly waits.
const BUSY: u32 = 4;
/// Extra time for the other steps before loading is given up.
const GRACE: Duration = Duration::from_secs(10);

/// Bytes of a page of a memory.
const PAGE: u64 = 64 << 10;

/// A module's code in memory, ready to be linked.
pub(crate) struct MachineCode {
    pub(crate) code: Code,
    pub(crate) needs: Needs,
}

/// Code in one of the engine's two forms.
pub(crate) enum Code {
    Component(Component),
    Program(wasmtime::Module),
}

/// Where machine code comes from.
pub(crate) struct Codegen {
    pub(crate) engines: Arc<Engines>,
    pub(crate) cache: Option<DiskCache>,
    /// Without one, modules are compiled in this process, and only the time is limited.
    pub(crate) compiler: Option<Compiler>,
    pub(crate) timeout: Duration,
    /// What modules may use.
    pub(crate) features: Features,
}

impl Codegen {
    /// How long a step of loading may take before it is given up.
    pub(crate) fn patience(&self) -> Duration {
        match self.compiler {
            Some(_) => BUSY * self.timeout + GRACE,
            None => self.timeout,
        }
    }

    /// The cached code, if there is any. Nothing is compiled, so it needs no turn.
    pub(crate) fn kept(&self, source: &ModuleSource) -> Option<MachineCode> {
        let cache = self.cache.as_ref()?;
        // What it needs and what it is are known only once it is compiled: look for all.
        Needs::all(source.fuel()).find_map(|needs| {
            [Form::Component, Form::Program]
                .into_iter()
                .find_map(|form| {
                    let code = cache.get(&self.file(source, needs, form)?)?;
                    let code = trusted(self.engines.get(needs).ok()?, form, &code).ok()?;
                    Some(MachineCode { code, needs })
                })
        })
    }

    /// Compiles it, or waits for another process with the same cache that is compiling it.
    pub(crate) fn make(&self, source: &ModuleSource) -> Result<MachineCode, LoadError> {
        let deadline = Instant::now() + BUSY * self.timeout;
        bounds::check(&source.wasm).map_err(|unfit| unfit.of(source))?;
        let lock = self.lock(source);
        if lock.is_some()
            && let Some(kept) = self.kept(source)
        {
            return Ok(kept);
        }
        let produced = self.produce(source, deadline);
        let produced = produced.map_err(|error| self.explain(source, error))?;
        let Produced { needs, form, code } = produced;
        if let (Some(cache), Some(file)) = (&self.cache, self.file(source, needs, form))
            && let Err(error) = cache.put(&file, &code)
        {
            tracing::warn!(%error, file, "can't cache a compiled module; it will be compiled again next time");
        }
        drop(lock);
        let engine = self.engines.get(needs);
        let loaded = engine.and_then(|engine| trusted(engine, form, &code));
        loaded
            .map(|code| MachineCode { code, needs })
            .map_err(|error| {
                self.misfit(source, needs, form, &code)
                    .unwrap_or_else(|| source.invalid(InvalidModule::MachineCode(error.into())))
            })
    }

    fn produce(&self, source: &ModuleSource, deadline: Instant) -> Result<Produced, NotCompiled> {
        let terms = Terms {
            fuel: source.fuel(),
            source_lines: self.engines.source_lines,
            features: self.features,
        };
        if let Some(compiler) = &self.compiler {
            return compiler.run(&source.wasm, terms, self.timeout, deadline);
        }
        compile(source.wasm.clone(), terms)
    }

    /// What of the code is more than the pool has for one module. The pool itself only says that it doesn't fit.
    fn misfit(
        &self,
        source: &ModuleSource,
        needs: Needs,
        form: Form,
        code: &[u8],
    ) -> Option<LoadError> {
        let engine = compiling_engine(needs, self.engines.source_lines).ok()?;
        let required = match trusted(&engine, form, code).ok()? {
            Code::Component(component) => component.resources_required()?,
            Code::Program(module) => module.resources_required(),
        };
        let excess = excess(&required, self.engines.size)?;
        Some(LoadError::NoRoom {
            module: source.name.clone(),
            what: excess.what,
            found: excess.found,
            allowed: excess.allowed,
            setting: excess.setting,
        })
    }

    /// The right to compile this module, among the processes that share the cache.
    fn lock(&self, source: &ModuleSource) -> Option<CacheLock> {
        let file = self.file(source, Needs::all(source.fuel()).next()?, Form::Component)?;
        let lock = (self.cache.as_ref()?).lock(&file);
        lock.inspect_err(|error| tracing::debug!(%error, "can't lock the cache"))
            .ok()
    }

    /// Its file name in the cache. The fingerprint is the plain engine's, so that a lookup needn't create
    /// other engines; the name tells the engines of one sandbox apart. What is allowed is part of it, since code
    /// that is found isn't checked again.
    fn file(&self, source: &ModuleSource, needs: Needs, form: Form) -> Option<String> {
        let plain = self.engines.get(Needs::default()).ok()?;
        let fuel = if needs.fuel { "-fuel" } else { "" };
        let concurrency = if needs.concurrency { "-async" } else { "" };
        let references = if needs.references { "-gc" } else { "" };
        let program = if form == Form::Program {
            "-program"
        } else {
            ""
        };
        Some(format!(
            "{}-{:016x}{fuel}{concurrency}{references}{program}.cwasm",
            source.digest,
            fingerprint(plain, self.features),
        ))
    }

    fn explain(&self, source: &ModuleSource, error: NotCompiled) -> LoadError {
        let module = source.name.clone();
        match error {
            NotCompiled::Refused(reason) => source.invalid(InvalidModule::NotCompiled(reason)),
            NotCompiled::TooSlow => LoadError::TooSlow {
                module,
                limit: self.timeout,
            },
            NotCompiled::OutOfMemory => LoadError::TooMuchMemory {
                module,
                limit: self.compiler.as_ref().map_or(0, |its| its.max_memory),
            },
        }
    }
}

impl Unfit {
    fn of(self, source: &ModuleSource) -> LoadError {
        match self {
            Unfit::Damaged(error) => source.invalid(error.into()),
            Unfit::Excess {
                what,
                found,
                allowed,
            } => LoadError::TooComplex {
                module: source.name.clone(),
                what,
                found,
                allowed,
            },
        }
    }
}

/// More of something than there is room for.
struct Excess {
    what: &'static str,
    found: u64,
    allowed: u64,
    setting: Option<&'static str>,
}

/// The first thing of which a module has too much.
fn excess(required: &ResourcesRequired, room: PoolSize) -> Option<Excess> {
    let of = |what, found, allowed, setting| Excess {
        what,
        found,
        allowed,
        setting,
    };
    let start = required.max_initial_memory_size.unwrap_or(0);
    let all = [
        of(
            "memories",
            required.num_memories.into(),
            room.shape.memories.into(),
            Some("max_memories"),
        ),
        of(
            "tables",
            required.num_tables.into(),
            room.shape.tables.into(),
            Some("max_tables"),
        ),
        of(
            "bytes in a memory at the start",
            start.saturating_mul(PAGE),
            room.memory as u64,
            Some("max_memory"),
        ),
        of(
            "elements in a table at the start",
            required.max_initial_table_size.unwrap_or(0),
            TABLE_ELEMENTS as u64,
            None,
        ),
    ];
    all.into_iter().find(|of| of.found > of.allowed)
}

/// Loads code that this host compiled.
fn trusted(engine: &Engine, form: Form, code: &[u8]) -> wasmtime::Result<Code> {
    // SAFETY: the code comes from this host's own compiler, or from the cache, which gives only bytes
    // that carry a MAC under this host's own key, and where this host writes nothing but what its
    // compiler gave. wasmtime itself then checks that its version and settings are those of the code.
    #[expect(unsafe_code, reason = "the one way to load compiled code; see above")]
    unsafe {
        match form {
            Form::Component => Component::deserialize(engine, code).map(Code::Component),
            Form::Program => wasmtime::Module::deserialize(engine, code).map(Code::Program),
        }
    }
}
