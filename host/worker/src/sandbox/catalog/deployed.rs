//! One state of the catalog: modules by name, and tasks by the names that messages use.
//!
//! Must not change: each change of the catalog makes another state.

use std::collections::HashMap;
use std::sync::Arc;

use chicory_signature::{LocalName, TaskName, UnknownTask, canonical};

use super::route::{Route, Served};

/// One state of the catalog.
#[derive(Default)]
pub(super) struct Deployed {
    /// By the canonical form of their names.
    pub(super) modules: HashMap<String, Arc<Served>>,
    /// By their full names, in the spellings that messages are likely to have and in canonical form.
    tasks: HashMap<String, Arc<Route>>,
}

impl Deployed {
    /// These modules, with the names of their tasks.
    pub(super) fn of(modules: HashMap<String, Arc<Served>>) -> Self {
        let tasks = routes(&modules);
        Self { modules, tasks }
    }

    /// What serves a module, if it is deployed.
    pub(super) fn module(&self, name: &str) -> Option<&Arc<Served>> {
        let served = self.modules.get(&*canonical(name))?;
        served.record.is_deployed().then_some(served)
    }

    /// The route of a task's name, as a message has it.
    pub(super) fn route(&self, name: &str) -> Result<&Route, UnknownTask> {
        if let Some(route) = self.tasks.get(name) {
            return Ok(route);
        }
        let parsed = TaskName::parse(name)?;
        let route = self.tasks.get(&*canonical(name));
        route.map(Arc::as_ref).ok_or_else(|| self.unknown(parsed))
    }

    fn unknown(&self, name: TaskName<'_>) -> UnknownTask {
        let found = name.among(|module| self.module(module).is_some());
        let served = found.and_then(|reading| Some((reading.task, self.module(reading.module)?)));
        let Some((task, served)) = served else {
            let modules = self
                .modules
                .values()
                .map(|served| served.record.name.clone());
            return UnknownTask::no_module(name.as_str(), modules);
        };
        let tasks = served
            .active()
            .into_iter()
            .flat_map(|active| active.tasks.keys().map(String::as_str));
        UnknownTask::no_task(&served.record.name, task.as_str(), tasks)
    }
}

/// All tasks by the names that messages use. A task is left out if its name belongs to another module because that
/// module's name is longer.
fn routes(modules: &HashMap<String, Arc<Served>>) -> HashMap<String, Arc<Route>> {
    let mut routes = HashMap::new();
    let is_deployed = |module: &str| {
        let served = modules.get(&*canonical(module));
        served.is_some_and(|served| served.record.is_deployed())
    };
    for served in modules.values() {
        let module = &served.record.name;
        for (task, route) in served.routes() {
            let Ok(task) = LocalName::parse(&task) else {
                continue;
            };
            let full = task.in_module(module);
            let owner = TaskName::parse(&full)
                .ok()
                .and_then(|name| name.among(is_deployed));
            if owner.is_some_and(|owner| owner.module == module) {
                let route = Arc::new(route);
                let names = task.usual_spellings(module).into_iter();
                routes.extend(names.map(|name| (name, Arc::clone(&route))));
            }
        }
    }
    routes
}
