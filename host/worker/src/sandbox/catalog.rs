//! What this worker can run: modules by name, tasks by the names that messages use.
//!
//! Replaced as a whole, so that a lookup takes no lock and tasks at work keep the version they
//! started with. Must not know files ([`super::module_dir`] reads them) nor registries ([`super::fleet`]).

mod code;
mod counters;
mod route;
mod version;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use chicory_queue::TaskMessage;
use chicory_runtime::{LoadRequest, Module, Sandbox};

pub(crate) use self::code::{Bring, Code, CodeCache};
pub(crate) use self::counters::CanaryCounters;
use self::route::Route;
pub(crate) use self::route::{KeptVersion, Served};
pub use self::version::CatalogTask;
pub(crate) use self::version::{LoadedVersion, VersionCode};
use super::error::ModuleError;
use super::manifest::{Manifest, is_module_name};
use crate::runner::{Runnable, Runner, TaskNotFound};

/// The tasks that this worker can run.
pub struct Catalog {
    sandbox: Sandbox,
    deployed: ArcSwap<Deployed>,
    /// Counts the changes.
    generation: AtomicU64,
    /// Whether it serves what a registry says.
    follows: AtomicBool,
}

/// One state of the catalog.
#[derive(Default)]
struct Deployed {
    modules: HashMap<String, Arc<Served>>,
    /// By full name, in WIT's spelling and in snake case.
    tasks: HashMap<String, Arc<Route>>,
}

/// What came of loading modules.
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
            generation: AtomicU64::new(0),
            follows: AtomicBool::new(false),
        })
    }

    /// What its modules run in.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Compiles a module of this machine, and makes it the one that serves its name.
    ///
    /// # Errors
    /// Says what is wrong with the module or its manifest; the version before stays active.
    pub async fn load(
        &self,
        name: &str,
        wasm: Vec<u8>,
        manifest: Manifest,
    ) -> Result<(), ModuleError> {
        let name = manifest.name.clone().unwrap_or_else(|| name.to_owned());
        let module = compile(&self.sandbox, &name, wasm, &manifest).await?;
        let served = Arc::new(Served::only(LoadedVersion::of_module(
            module,
            &manifest,
            self.sandbox.clone(),
        )));
        self.change(|modules| {
            modules.insert(name.clone(), Arc::clone(&served));
        });
        Ok(())
    }

    /// Forgets a module; tasks of it at work go on.
    pub fn unload(&self, name: &str) {
        self.change(|modules| {
            modules.remove(name);
        });
    }

    /// What serves a module.
    pub(crate) fn served(&self, name: &str) -> Option<Arc<Served>> {
        self.deployed.load().modules.get(name).cloned()
    }

    /// Puts these in place of what served the modules before, all at once.
    pub(crate) fn serve(&self, modules: &[(String, Arc<Served>)]) {
        self.change(|serving| serving.extend(modules.iter().cloned()));
    }

    /// The modules of the registry, each with the digest of its active version.
    pub(crate) fn versions(&self) -> Vec<(String, Arc<str>)> {
        let deployed = self.deployed.load();
        let served = deployed
            .modules
            .iter()
            .filter(|(_, served)| served.deployed);
        let mut versions: Vec<_> = served
            .filter_map(|(name, served)| {
                Some((name.clone(), Arc::clone(served.active.as_ref()?.digest())))
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
            let tasks = modules
                .iter()
                .flat_map(|(name, served)| named_routes(name, served))
                .collect();
            Deployed { modules, tasks }
        });
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// From now on its modules are told to those who watch the fleet.
    pub(crate) fn follow_registry(&self) {
        self.follows.store(true, Ordering::Relaxed);
    }

    /// The task that a message meets.
    ///
    /// # Errors
    /// Says why there is none, for the reader of an error.
    pub fn resolve(&self, message: &TaskMessage) -> Result<Arc<CatalogTask>, TaskNotFound> {
        let deployed = self.deployed.load();
        match deployed.route(&message.name) {
            Some(route) => route.pick(message).cloned().map_err(TaskNotFound::new),
            None => Err(TaskNotFound::new(deployed.why_missing(&message.name))),
        }
    }

    /// The names of all tasks of active versions, in WIT's spelling, sorted.
    pub fn task_names(&self) -> Vec<String> {
        let deployed = self.deployed.load();
        let active = deployed
            .modules
            .iter()
            .filter_map(|(name, served)| Some((name, served.active.as_ref()?)));
        let mut names: Vec<String> = active
            .flat_map(|(name, version)| {
                let tasks = version.tasks.keys();
                tasks.map(move |task| format!("{name}.{task}"))
            })
            .collect();
        names.sort_unstable();
        names
    }
}

impl Runner for Catalog {
    fn resolve(&self, message: &TaskMessage) -> Result<Arc<dyn Runnable>, TaskNotFound> {
        Self::resolve(self, message).map(|task| task as Arc<dyn Runnable>)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn deployed(&self) -> Option<Vec<(String, Arc<str>)>> {
        (self.follows.load(Ordering::Relaxed)).then(|| self.versions())
    }
}

impl Deployed {
    fn route(&self, name: &str) -> Option<&Route> {
        if let Some(route) = self.tasks.get(name) {
            return Some(route);
        }
        // Mixed spellings are rare: take the longest module's name, and spell the rest as WIT does.
        let (module, rest) = self.split(name)?;
        let spelled = format!("{module}.{}", rest.replace('_', "-"));
        self.tasks.get(&spelled).map(Arc::as_ref)
    }

    fn why_missing(&self, name: &str) -> String {
        match self.split(name) {
            Some((module, rest)) => {
                let active = self.modules[module].active.as_ref();
                let tasks: Vec<_> = active
                    .iter()
                    .flat_map(|version| version.tasks.keys().map(String::as_str))
                    .collect();
                format!(
                    "module {module:?} has no task {rest:?}; it has {}",
                    listed(&tasks)
                )
            }
            None => {
                let mut modules: Vec<_> = self.modules.keys().map(String::as_str).collect();
                modules.sort_unstable();
                format!(
                    "no module for {name:?} is deployed on this worker; it has {}",
                    listed(&modules)
                )
            }
        }
    }

    /// The longest deployed module name that `name` starts with, and what follows it.
    fn split<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a str)> {
        (name.rmatch_indices('.'))
            .map(|(at, _)| (&name[..at], &name[at + 1..]))
            .find(|(module, _)| self.modules.contains_key(*module))
    }
}

/// Compiles a module with its manifest's settings.
pub(crate) async fn compile(
    sandbox: &Sandbox,
    name: &str,
    wasm: Vec<u8>,
    manifest: &Manifest,
) -> Result<Arc<Module>, ModuleError> {
    if !is_module_name(name) {
        let name = name.to_owned();
        return Err(ModuleError::Name { name });
    }
    let request = LoadRequest {
        name: name.to_owned(),
        wasm,
        settings: manifest.settings(),
    };
    let module = sandbox.load(request).await?;
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

fn named_routes(module: &str, served: &Served) -> Vec<(String, Arc<Route>)> {
    let routes = served.routes().into_iter();
    let both = routes.flat_map(|(task, route)| {
        let route = Arc::new(route);
        let kebab = format!("{module}.{task}");
        let snake = format!("{module}.{}", task.replace('-', "_"));
        [(kebab, Arc::clone(&route)), (snake, route)]
    });
    both.collect()
}
