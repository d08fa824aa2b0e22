//! The sandbox: loads modules off the hot path, and runs their tasks, as many at a time as its pool has room for.
//!
//! Must not know queues.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::call;
use crate::capability::{Capabilities, HostInterface};
use crate::codegen::{Codegen, MachineCode};
use crate::compiler::Compiler;
use crate::disk_cache::DiskCache;
use crate::ended::{Ended, How, Usage};
use crate::engine::{Engines, PoolSize, Shape};
use crate::error::{InvalidModule, LoadError, SandboxError};
use crate::features::Features;
use crate::invocation::Invocation;
use crate::load::Loader;
use crate::module::{Description, Module};
use crate::pressure;
use crate::request::{LoadRequest, ModuleSource};

/// How a sandbox is sized.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Maximum number of calls at the same time; more wait. It determines the address space, about 16 GiB for
    /// each with the default `shape`.
    pub concurrency: usize,
    /// Maximum memory of a task, in bytes.
    pub max_memory: u64,
    /// What this process should stay below, in bytes. When less is left than a computing task has, that task ends as
    /// out of memory. Where several sandboxes of a process say so, the least holds. Without it, the machine decides.
    pub process_memory: Option<u64>,
    /// The directory for compiled modules. It must belong to this user, and others must not be able to write to it:
    /// what is found there is run. Without one, or if it can't be used, modules are compiled at every start.
    pub cache_dir: Option<PathBuf>,
    /// How many bytes compiled modules may take there. What was not used for longest is removed.
    pub cache_bytes: u64,
    /// Maximum size of a module, in bytes.
    pub max_module_bytes: usize,
    /// The program that compiles, in separate processes with limits. Without one, modules are compiled in
    /// this process, which is for trusted modules only.
    pub compiler: Option<Compiler>,
    /// How long a compilation may take: with a compiler, CPU time, and four times as much wall time, because
    /// it runs with a low priority; without one, wall time.
    pub compile_timeout: Duration,
    /// Maximum number of compilations at the same time; more wait.
    pub parallel_compilations: usize,
    /// Whether backtraces show files and lines, if a module has them (DWARF). For trusted modules only: a
    /// hostile module's DWARF could keep the host busy.
    pub source_lines: bool,
    /// Features of WebAssembly that modules may use besides those that every module may use.
    pub features: Features,
    /// How many core instances, memories and tables one module may have.
    pub shape: Shape,
    /// Interfaces that this program implements and modules may import.
    pub host_interfaces: Vec<HostInterface>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        SandboxConfig {
            concurrency: 8 * thread::available_parallelism().map_or(1, usize::from),
            max_memory: 256 << 20,
            process_memory: None,
            cache_dir: None,
            cache_bytes: 2 << 30,
            max_module_bytes: 64 << 20,
            compiler: None,
            compile_timeout: Duration::from_mins(2),
            parallel_compilations: 1,
            source_lines: false,
            features: Features::default(),
            shape: Shape::default(),
            host_interfaces: Vec::new(),
        }
    }
}

/// Loads modules and runs their tasks. Clones share the same sandbox.
///
/// ```
/// use std::sync::Arc;
///
/// use chicory_runtime::{
///     How, Invocation, LoadRequest, ModuleSettings, Sandbox, SandboxConfig,
/// };
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sandbox = Sandbox::new(SandboxConfig {
///     concurrency: 4,
///     ..SandboxConfig::default()
/// })?;
/// // Usually read from a file that `chicory build` made.
/// let wasm = wat::parse_str(r#"(component
///     (core module $m (func (export "add") (param i32 i32) (result i32)
///         (i32.add (local.get 0) (local.get 1))))
///     (core instance $i (instantiate $m))
///     (func (export "add") (param "a" u32) (param "b" u32) (result u32)
///         (canon lift (core func $i "add"))))"#)?;
/// let module = sandbox
///     .load(LoadRequest {
///         name: "sums".into(),
///         wasm,
///         settings: ModuleSettings::default(),
///     })
///     .await?;
///
/// // Each call runs in an instance of its own.
/// let task = module.task("add").expect("the module exports it");
/// let invocation = Invocation::new(Arc::clone(task), vec![json!(1), json!(2)].into());
/// match sandbox.run(invocation).await.how {
///     How::Returned(result) => assert_eq!(result.get(), "3"),
///     other => panic!("{other}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    loader: Arc<Loader>,
    places: Semaphore,
    compilations: Arc<Semaphore>,
}

/// The cache in this folder. A sandbox works without one, only slower.
fn cache(dir: &Path, most: u64) -> Option<DiskCache> {
    let opened = DiskCache::open(dir, most).inspect_err(|error| {
        tracing::warn!(
            cache_dir = %dir.display(), %error,
            "can't use cache_dir for compiled modules: they are compiled at every start",
        );
    });
    opened.ok()
}

impl Sandbox {
    /// Reserves the pool, and starts the clock that stops guests.
    ///
    /// # Errors
    /// If a setting is out of its range, or this machine can't run sandboxes.
    pub fn new(config: SandboxConfig) -> Result<Sandbox, SandboxError> {
        if let Some(bytes) = config.process_memory {
            pressure::bound(bytes);
        }
        let wrong = SandboxError::OutOfRange;
        let size = PoolSize {
            calls: u32::try_from(config.concurrency.max(1)).map_err(|_| wrong("concurrency"))?,
            memory: usize::try_from(config.max_memory).map_err(|_| wrong("max_memory"))?,
            shape: config.shape,
        };
        let engines = Engines::start(size, config.source_lines)
            .map_err(|error| SandboxError::Engine(error.into()))?;
        let cache = config
            .cache_dir
            .and_then(|dir| cache(&dir, config.cache_bytes));
        let loader = Loader {
            codegen: Codegen {
                engines,
                cache,
                compiler: config.compiler,
                timeout: config.compile_timeout,
                features: config.features,
            },
            capabilities: Capabilities::new(config.host_interfaces)?,
            max_memory: config.max_memory,
            max_module_bytes: config.max_module_bytes,
        };
        Ok(Sandbox {
            inner: Arc::new(Inner {
                loader: Arc::new(loader),
                places: Semaphore::new(config.concurrency.max(1)),
                compilations: Arc::new(Semaphore::new(config.parallel_compilations.max(1))),
            }),
        })
    }

    /// What the sandbox found on this machine, for the start-up log.
    pub fn describe(&self) -> String {
        self.inner.loader.codegen.engines.describe()
    }

    /// Compiles a module and checks it against its grants, on a thread that may block.
    ///
    /// # Errors
    /// If it is no module that this host can run, exceeds a bound, needs what it is not granted, or can't be compiled.
    pub async fn load(&self, request: LoadRequest) -> Result<Arc<Module>, LoadError> {
        let name = request.name.clone();
        let (source, code) = self.compiled(request).await?;
        self.apart(name, move |loader| loader.load(source, code))
            .await
            .map(Arc::new)
    }

    /// Describes a module, whatever it is granted: its tasks, its imports, what it needs.
    ///
    /// # Errors
    /// If it is no module that this host can run, exceeds a bound, or can't be compiled.
    pub async fn inspect(&self, request: LoadRequest) -> Result<Description, LoadError> {
        let name = request.name.clone();
        let (source, code) = self.compiled(request).await?;
        self.apart(name, move |loader| loader.inspect(&source, code))
            .await
    }

    /// Runs one task in a sandbox of its own. What the guest does is a value, never an error.
    pub async fn run(&self, invocation: Invocation) -> Ended {
        match self.inner.places.acquire().await {
            Ok(_place) => call::run(invocation).await,
            Err(closed) => Ended {
                how: How::HostFailed(closed.to_string()),
                usage: Usage::default(),
                log: Vec::new(),
            },
        }
    }

    /// A module's code. Only a compilation waits for its turn.
    async fn compiled(
        &self,
        request: LoadRequest,
    ) -> Result<(ModuleSource, MachineCode), LoadError> {
        let name = request.name.clone();
        let begun = self.apart(name.clone(), |loader| loader.begin(request));
        let source = match begun.await? {
            (source, Some(code)) => return Ok((source, code)),
            (source, None) => source,
        };
        let turn = Arc::clone(&self.inner.compilations).acquire_owned().await;
        self.apart(name, move |loader| {
            // A compilation that was given up keeps its turn until it has really ended.
            let _turn = turn;
            let code = loader.codegen.make(&source)?;
            Ok((source, code))
        })
        .await
    }

    /// Does a part of loading on a thread that runs no tasks.
    async fn apart<T: Send + 'static>(
        &self,
        module: String,
        work: impl FnOnce(&Loader) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let loader = Arc::clone(&self.inner.loader);
        let limit = loader.codegen.timeout;
        let patience = loader.codegen.patience();
        let worked = spawn_blocking(move || work(&loader));
        match tokio::time::timeout(patience, worked).await {
            Ok(Ok(worked)) => worked,
            Ok(Err(crashed)) => Err(LoadError::Invalid {
                module,
                source: InvalidModule::Crashed(crashed.into()),
            }),
            Err(_) => Err(LoadError::TooSlow { module, limit }),
        }
    }
}
