//! What is deployed on this worker: modules by name, tasks by the names that messages use.
//!
//! Replaced as a whole, so that a lookup takes no lock and tasks at work keep the version they
//! started with. Must not know files: [`crate::watch`] reads them.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chicory_queue::{DeliveryMode, RetryPolicy};
use chicory_runtime::{LoadRequest, Module, Sandbox, Task};

use crate::manifest::{Manifest, is_module_name};

/// The tasks that this worker can run.
pub struct Catalog {
    sandbox: Sandbox,
    deployed: ArcSwap<Deployed>,
}

/// One state of the catalog.
#[derive(Default)]
struct Deployed {
    modules: HashMap<String, Arc<DeployedModule>>,
    /// By full name, in WIT's spelling and in snake case.
    tasks: HashMap<String, Arc<CatalogTask>>,
}

struct DeployedModule {
    module: Arc<Module>,
    manifest: Manifest,
}

/// A task with its settings.
pub struct CatalogTask {
    /// What the sandbox runs.
    pub task: Arc<Task>,
    /// What its failures lead to, unless the message says otherwise.
    pub policy: RetryPolicy,
    /// The worker's setting where missing.
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether states and results are left out.
    pub ignore_result: bool,
}

/// What came of loading modules.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Modules that were loaded, by name.
    pub loaded: Vec<String>,
    /// What was refused (a file, or a name), and why.
    pub refused: Vec<(String, String)>,
}

impl Catalog {
    /// An empty catalog whose modules run in `sandbox`.
    pub fn new(sandbox: Sandbox) -> Arc<Self> {
        Arc::new(Self {
            sandbox,
            deployed: ArcSwap::default(),
        })
    }

    /// Compiles a module and makes it the active one of its name.
    ///
    /// # Errors
    /// Says what is wrong with the module or its manifest; the version before stays active.
    pub async fn load(&self, name: &str, wasm: Vec<u8>, manifest: Manifest) -> Result<(), String> {
        let name = manifest.name.clone().unwrap_or_else(|| name.to_owned());
        if !is_module_name(&name) {
            return Err(format!(
                "{name:?} can't be a module's name: use letters, digits, `-`, `_`, and dots between parts"
            ));
        }
        let request = LoadRequest {
            name: name.clone(),
            wasm,
            settings: manifest.settings(),
        };
        let module = self
            .sandbox
            .load(request)
            .await
            .map_err(|error| error.to_string())?;
        check_task_names(&module, &manifest)?;
        let deployed = Arc::new(DeployedModule { module, manifest });
        self.change(|modules| {
            modules.insert(name.clone(), Arc::clone(&deployed));
        });
        Ok(())
    }

    /// Forgets a module; tasks of it at work go on.
    pub fn unload(&self, name: &str) {
        self.change(|modules| {
            modules.remove(name);
        });
    }

    fn change(&self, change: impl Fn(&mut HashMap<String, Arc<DeployedModule>>)) {
        self.deployed.rcu(|before| {
            let mut modules = before.modules.clone();
            change(&mut modules);
            let tasks = modules
                .iter()
                .flat_map(|(name, module)| named_tasks(name, module))
                .collect();
            Deployed { modules, tasks }
        });
    }

    /// The task of this full name.
    pub fn resolve(&self, name: &str) -> Option<Arc<CatalogTask>> {
        let deployed = self.deployed.load();
        if let Some(task) = deployed.tasks.get(name) {
            return Some(Arc::clone(task));
        }
        // Mixed spellings are rare: take the longest module's name, and spell the rest as WIT does.
        let (module, rest) = split(&deployed, name)?;
        deployed
            .tasks
            .get(&format!("{module}.{}", rest.replace('_', "-")))
            .cloned()
    }

    /// Why [`Self::resolve`] found nothing, for the reader of an error.
    pub fn why_missing(&self, name: &str) -> String {
        let deployed = self.deployed.load();
        match split(&deployed, name) {
            Some((module, rest)) => {
                let mut tasks: Vec<_> = deployed.modules[module]
                    .module
                    .tasks()
                    .map(|task| task.name())
                    .collect();
                tasks.sort_unstable();
                format!(
                    "module {module:?} has no task {rest:?}; it has {}",
                    listed(&tasks)
                )
            }
            None => {
                let mut modules: Vec<_> = deployed.modules.keys().map(String::as_str).collect();
                modules.sort_unstable();
                format!(
                    "no module for {name:?} is deployed on this worker; it has {}",
                    listed(&modules)
                )
            }
        }
    }

    /// The names of all tasks, in WIT's spelling, sorted.
    pub fn task_names(&self) -> Vec<String> {
        let deployed = self.deployed.load();
        let mut names: Vec<String> = (deployed.modules.iter())
            .flat_map(|(name, module)| {
                module
                    .module
                    .tasks()
                    .map(move |task| format!("{name}.{}", task.name()))
            })
            .collect();
        names.sort_unstable();
        names
    }
}

/// The longest deployed module name that `name` starts with, and what follows it.
fn split<'a>(deployed: &'a Deployed, name: &'a str) -> Option<(&'a str, &'a str)> {
    (name.rmatch_indices('.'))
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
        .find(|(module, _)| deployed.modules.contains_key(*module))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

fn check_task_names(module: &Module, manifest: &Manifest) -> Result<(), String> {
    let Some(unknown) = manifest
        .tasks
        .keys()
        .find(|name| module.task(name).is_none())
    else {
        return Ok(());
    };
    let names: Vec<_> = module.tasks().map(|task| task.name()).collect();
    Err(format!(
        "the manifest's [tasks.{unknown}] names no task of the module; it has {}",
        listed(&names)
    ))
}

fn named_tasks(
    name: &str,
    deployed: &DeployedModule,
) -> impl Iterator<Item = (String, Arc<CatalogTask>)> {
    deployed.module.tasks().flat_map(move |task| {
        let entry = Arc::new(settings(task, &deployed.manifest));
        let kebab = format!("{name}.{}", task.name());
        let snake = format!("{name}.{}", task.name().replace('-', "_"));
        [(kebab, Arc::clone(&entry)), (snake, entry)]
    })
}

fn settings(task: &Arc<Task>, manifest: &Manifest) -> CatalogTask {
    let spelled = |name: &&String| name.replace('_', "-") == task.name();
    let own = manifest
        .tasks
        .keys()
        .find(spelled)
        .and_then(|name| manifest.tasks.get(name));
    CatalogTask {
        task: Arc::clone(task),
        policy: (own.and_then(|own| own.retry.clone()))
            .or_else(|| manifest.retry.clone())
            .unwrap_or_else(RetryPolicy::none),
        delivery_mode: own
            .and_then(|own| own.delivery_mode)
            .or(manifest.delivery_mode),
        ignore_result: own
            .and_then(|own| own.ignore_result)
            .unwrap_or(manifest.ignore_result),
    }
}
