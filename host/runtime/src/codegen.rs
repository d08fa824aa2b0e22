//! A module's machine code: from the cache, or compiled now, in this process or a separate one.
//!
//! Must not know grants or tasks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::bounds::{self, Unfit};
use crate::compile::{NotCompiled, Produced, compile};
use crate::compiler::Compiler;
use crate::disk_cache::{CacheLock, DiskCache};
use crate::engine::{Engines, Needs, fingerprint};
use crate::error::{InvalidModule, LoadError};
use crate::request::ModuleSource;

/// How many times longer than its CPU time a compilation in a separate process may take. Tasks have priority
/// over it, so on a busy machine it mostly waits.
const BUSY: u32 = 4;
/// Extra time for the other steps before loading is given up.
const GRACE: Duration = Duration::from_secs(10);

/// A module's code in memory, ready to be linked.
pub(crate) struct MachineCode {
    pub(crate) component: Component,
    pub(crate) needs: Needs,
}

/// Where machine code comes from.
pub(crate) struct Codegen {
    pub(crate) engines: Arc<Engines>,
    pub(crate) cache: Option<DiskCache>,
    /// Without one, modules are compiled in this process, and only the time is limited.
    pub(crate) compiler: Option<Compiler>,
    pub(crate) timeout: Duration,
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
        // Whether it needs async is known only once it is a component: look for both.
        [false, true].into_iter().find_map(|concurrency| {
            let needs = Needs {
                fuel: source.fuel(),
                concurrency,
            };
            let code = cache.get(&self.file(source, needs)?)?;
            let component = trusted(self.engines.get(needs).ok()?, &code).ok()?;
            Some(MachineCode { component, needs })
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
        let needs = Needs {
            fuel: source.fuel(),
            concurrency: produced.concurrency,
        };
        if let (Some(cache), Some(file)) = (&self.cache, self.file(source, needs))
            && let Err(error) = cache.put(&file, &produced.code)
        {
            tracing::warn!(%error, file, "can't cache a compiled module; it will be compiled again next time");
        }
        drop(lock);
        let engine = self.engines.get(needs);
        let component = engine.and_then(|engine| trusted(engine, &produced.code));
        match component {
            Ok(component) => Ok(MachineCode { component, needs }),
            Err(error) => Err(source.invalid(InvalidModule::MachineCode(error.into()))),
        }
    }

    fn produce(&self, source: &ModuleSource, deadline: Instant) -> Result<Produced, NotCompiled> {
        let fuel = source.fuel();
        if let Some(compiler) = &self.compiler {
            let lines = self.engines.source_lines;
            return compiler.run(&source.wasm, fuel, lines, self.timeout, deadline);
        }
        compile(source.wasm.clone(), |concurrency| {
            self.engines.get(Needs { fuel, concurrency })
        })
    }

    /// The right to compile this module, among the processes that share the cache.
    fn lock(&self, source: &ModuleSource) -> Option<CacheLock> {
        let plain = Needs {
            fuel: source.fuel(),
            concurrency: false,
        };
        let lock = (self.cache.as_ref()?).lock(&self.file(source, plain)?);
        lock.inspect_err(|error| tracing::debug!(%error, "can't lock the cache"))
            .ok()
    }

    /// Its file name in the cache. The fingerprint is the plain engine's, so that a lookup needn't create
    /// other engines; the name tells the engines of one sandbox apart.
    fn file(&self, source: &ModuleSource, needs: Needs) -> Option<String> {
        let plain = self.engines.get(Needs::default()).ok()?;
        let fuel = if needs.fuel { "-fuel" } else { "" };
        let concurrency = if needs.concurrency { "-async" } else { "" };
        Some(format!(
            "{}-{:016x}{fuel}{concurrency}.cwasm",
            source.digest,
            fingerprint(plain),
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

/// Makes a component from code that this host compiled.
fn trusted(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the code comes from this host's own compiler, or from the cache, which gives only bytes
    // that carry a MAC under this host's own key, and where this host writes nothing but what its
    // compiler gave. wasmtime itself then checks that its version and settings are those of the code.
    #[expect(unsafe_code, reason = "the one way to load compiled code; see above")]
    unsafe {
        Component::deserialize(engine, code)
    }
}
