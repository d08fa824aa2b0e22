//! What this worker can run: modules by name, tasks by the names that messages use.
//!
//! Replaced as a whole, so that a lookup takes no lock and running tasks keep the version they
//! started with. Must not know files ([`super::module_dir`] reads them) nor registries ([`super::fleet`]).

mod code;
mod counters;
mod deployed;
mod route;
mod version;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use chicory_queue::{ModuleRecord, NoVersion, TaskMessage, Timestamp, Version};
use chicory_runtime::{LoadRequest, Module, Sandbox};
use chicory_signature::{
    NameConflict, TaskName, TenantName, UnknownTask, canonical, check_module_name, owner,
    qualified, shown_names,
};

pub(crate) use self::code::{Bring, Code, CodeCache};
pub(crate) use self::counters::CanaryCounters;
use self::deployed::Deployed;
pub(crate) use self::route::Served;
pub use self::version::CatalogTask;
pub(crate) use self::version::{LoadedVersion, VersionCode};
use super::error::ModuleError;
use super::manifest::Manifest;
use super::policy::Allowed;
use crate::attempt::runner::{Runnable, Runner, TaskNotFound};

/// The tasks of sandboxed modules that this worker can run.
///
/// ```no_run
/// use std::sync::Arc;
/// use chicory_queue::{BrokerConfig, SqliteConfig, SystemClock, connect};
/// use chicory_runtime::{Sandbox, SandboxConfig};
/// use chicory_worker::{Catalog, Manifest, Stop, Worker, WorkerConfig};
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let catalog = Catalog::new(Sandbox::new(SandboxConfig::default())?);
/// let wasm = std::fs::read("modules/word-count.wasm")?;
/// catalog.load("word-count", wasm, Manifest::default()).await?;
///
/// let broker = BrokerConfig::Sqlite(SqliteConfig::new("queue.db"));
/// let connected = connect(&broker, Arc::new(SystemClock)).await?;
/// let worker = Worker::new(connected, catalog, WorkerConfig::default());
/// let summary = worker.run(Stop::new()).await?;
/// println!("{} attempts", summary.processed);
/// # Ok(()) }
/// ```
pub struct Catalog {
    sandbox: Sandbox,
    deployed: ArcSwap<Deployed>,
    /// The names of modules, among those of all tenants, whose records are of a newer version of the program.
    newer: ArcSwap<HashSet<String>>,
    /// Counts the changes.
    generation: AtomicU64,
    /// Whether it serves what a registry says.
    follows: AtomicBool,
}

/// Why this worker has no task for a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// No task has this name.
    #[error("on this worker, {0}")]
    Unknown(#[from] UnknownTask),
    /// The module's record is of a newer version of the program, which other workers may have.
    #[error("the record of module {0:?} is of a newer version; upgrade this worker")]
    Newer(String),
    /// No version of the task may run this message.
    #[error(transparent)]
    NoVersion(#[from] NoVersion),
}

/// The result of loading modules.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Modules that were loaded, by name.
    pub loaded: Vec<String>,
    /// What was refused, and why.
    pub refused: Vec<Refusal>,
}

/// A module that was refused.
#[derive(Debug)]
pub struct Refusal {
    /// The file it came from.
    pub file: PathBuf,
    /// Why.
    pub reason: ModuleError,
}

impl Catalog {
    /// An empty catalog whose modules run in `sandbox`.
    pub fn new(sandbox: Sandbox) -> Arc<Self> {
        Arc::new(Self {
            sandbox,
            deployed: ArcSwap::default(),
            newer: ArcSwap::default(),
            generation: AtomicU64::new(0),
            follows: AtomicBool::new(false),
        })
    }

    /// The sandbox that its modules run in.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Compiles a local module with everything its manifest asks for, and serves it under its name.
    ///
    /// # Errors
    /// Says what is wrong with the module or its manifest, or which other module it conflicts with. The previous
    /// version then stays active.
    pub async fn load(
        &self,
        name: &str,
        wasm: Vec<u8>,
        manifest: Manifest,
    ) -> Result<(), ModuleError> {
        let allowed = Allowed::all(manifest.settings());
        self.load_within(name, wasm, &manifest, allowed).await
    }

    /// Like [`Catalog::load`], with as much of what the manifest asks for as is allowed.
    pub(crate) async fn load_within(
        &self,
        name: &str,
        wasm: Vec<u8>,
        manifest: &Manifest,
        allowed: Allowed,
    ) -> Result<(), ModuleError> {
        let name = manifest.name.as_deref().unwrap_or(name);
        let module = compile(&self.sandbox, name, wasm, manifest, allowed).await?;
        let served = Arc::new(self.local(name, module, manifest));
        if let Some(conflict) = self.conflict(&served.record) {
            return Err(conflict.into());
        }
        self.serve(&[served]);
        Ok(())
    }

    /// Forgets a module; its running tasks continue.
    pub fn unload(&self, name: &str) {
        self.change(|modules| {
            modules.remove(&*canonical(name));
        });
    }

    /// What serves a module.
    pub(crate) fn served(&self, name: &str) -> Option<Arc<Served>> {
        self.deployed.load().module(name).cloned()
    }

    /// Replaces what served these modules, all at once.
    pub(crate) fn serve(&self, modules: &[Arc<Served>]) {
        let named = modules.iter().map(|served| {
            let name = canonical(&served.record.name).into_owned();
            (name, Arc::clone(served))
        });
        let named: Vec<_> = named.collect();
        self.change(|serving| serving.extend(named.iter().cloned()));
    }

    /// Why this module can't be served beside the others; `None` if it can.
    pub(crate) fn conflict(&self, record: &ModuleRecord) -> Option<NameConflict> {
        let deployed = self.deployed.load();
        let (tenant, _) = owner(&record.name);
        let records = deployed.modules.values().map(|served| &served.record);
        // What other tenants have is nothing to this one.
        record.conflict_with(records.filter(|other| owner(&other.name).0 == tenant))
    }

    /// The modules of the registry, each with the digest of its active version.
    pub(crate) fn versions(&self) -> Vec<(String, Arc<str>)> {
        let deployed = self.deployed.load();
        let served = deployed.modules.values().filter(|served| served.deployed);
        let mut versions: Vec<_> = served
            .filter_map(|served| {
                let active = served.active()?;
                Some((served.record.name.clone(), Arc::clone(active.digest())))
            })
            .collect();
        versions.sort_unstable();
        versions
    }

    /// The names of the modules that are deployed.
    pub fn deployed(&self) -> Vec<String> {
        self.versions().into_iter().map(|(name, _)| name).collect()
    }

    fn change(&self, change: impl Fn(&mut HashMap<String, Arc<Served>>)) {
        self.deployed.rcu(|before| {
            let mut modules = before.modules.clone();
            change(&mut modules);
            Deployed::of(modules)
        });
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Messages for these modules are left for workers of a newer version, as long as nothing serves them here.
    pub(crate) fn leave_to_newer(&self, modules: HashSet<String>) {
        self.newer.store(Arc::new(modules));
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn unknown(&self, tenant: &TenantName, task: &str, error: UnknownTask) -> ResolveError {
        let newer = self.newer.load();
        let is_newer = |module: &str| newer.contains(&*canonical(&qualified(tenant, module)));
        let name = TaskName::parse(task).ok();
        match name.and_then(|name| name.among(is_newer)) {
            Some(found) => ResolveError::Newer(found.module.to_owned()),
            None => error.into(),
        }
    }

    /// From now on, its modules are reported to those who watch the fleet.
    pub(crate) fn follow_registry(&self) {
        self.follows.store(true, Ordering::Relaxed);
    }

    /// The task that a message of a tenant asks for, among the tenant's own.
    ///
    /// # Errors
    /// Says why there is none, in words for a task's error.
    pub fn resolve(
        &self,
        tenant: &TenantName,
        message: &TaskMessage,
    ) -> Result<Arc<CatalogTask>, Box<ResolveError>> {
        let deployed = self.deployed.load();
        let route = deployed.route(tenant, &message.name);
        let route = route.map_err(|error| Box::new(self.unknown(tenant, &message.name, error)))?;
        let task = route.pick(message).cloned();
        task.map_err(|error| Box::new(error.into()))
    }

    /// The names of all tasks of active versions, in WIT's spelling, sorted.
    pub fn task_names(&self) -> Vec<String> {
        let deployed = self.deployed.load();
        let active = deployed
            .modules
            .values()
            .filter_map(|served| Some((&served.record.name, served.active()?)));
        let mut names: Vec<String> = active
            .flat_map(|(name, version)| {
                let tasks = shown_names(version.tasks.keys().map(String::as_str));
                tasks.into_iter().map(move |task| format!("{name}.{task}"))
            })
            .collect();
        names.sort_unstable();
        names
    }
}

impl Catalog {
    /// A local module, which has one version.
    fn local(&self, name: &str, module: Arc<Module>, manifest: &Manifest) -> Served {
        let tasks = module
            .tasks()
            .map(|task| (task.full_name().to_owned(), task.signature().clone()));
        let version = Version {
            digest: module.digest().to_owned(),
            size: module.size() as u64,
            version: manifest.version.clone(),
            tasks: tasks.collect(),
            manifest: serde_json::Value::Null,
            deployed_by: String::new(),
            deployed_at: Timestamp::now(),
            signature: None,
            source: None,
            retiring: false,
        };
        let origin = VersionCode {
            digest: Arc::from(module.digest()),
            code: Code::here(module),
            sandbox: self.sandbox.clone(),
        };
        let loaded = LoadedVersion::new(&version, origin, manifest);
        Served {
            versions: [(version.digest.clone(), Arc::new(loaded))].into(),
            record: ModuleRecord::of_one(name, version),
            counters: None,
            deployed: false,
        }
    }
}

impl Runner for Catalog {
    fn resolve(
        &self,
        tenant: &TenantName,
        message: &TaskMessage,
    ) -> Result<Arc<dyn Runnable>, TaskNotFound> {
        match Self::resolve(self, tenant, message) {
            Ok(task) => Ok(task),
            Err(reason) if matches!(*reason, ResolveError::Newer(_)) => {
                Err(TaskNotFound::elsewhere(reason.to_string()))
            }
            Err(reason) => Err(TaskNotFound::new(reason.to_string())),
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn deployed(&self) -> Option<Vec<(String, Arc<str>)>> {
        (self.follows.load(Ordering::Relaxed)).then(|| self.versions())
    }
}

/// Compiles a module with its manifest's settings, as far as they are allowed.
pub(crate) async fn compile(
    sandbox: &Sandbox,
    name: &str,
    wasm: Vec<u8>,
    manifest: &Manifest,
    allowed: Allowed,
) -> Result<Arc<Module>, ModuleError> {
    // To its own code, a tenant's module has the name that the tenant knows it by.
    let (_, name) = owner(name);
    check_module_name(name)?;
    let request = LoadRequest {
        name: name.to_owned(),
        wasm,
        settings: allowed.settings,
    };
    let loaded = sandbox.load(request).await;
    let module = loaded.map_err(|source| ModuleError::too_little(source, allowed.cuts))?;
    check_task_names(&module, manifest)?;
    Ok(module)
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

fn check_task_names(module: &Module, manifest: &Manifest) -> Result<(), ModuleError> {
    let Some(unknown) = manifest
        .tasks
        .keys()
        .find(|name| module.task(name).is_none())
    else {
        return Ok(());
    };
    let names: Vec<_> = module.tasks().map(|task| task.name()).collect();
    Err(ModuleError::UnknownTask {
        task: unknown.clone(),
        tasks: listed(&names),
    })
}
