//! One state of the catalog: modules by name, and tasks by the names that messages use.
//!
//! Must not change: each change of the catalog makes another state.

use std::collections::HashMap;
use std::sync::Arc;

use chicory_signature::{
    LocalName, TaskName, TenantName, UnknownTask, canonical, owner, qualified,
};

use super::route::{Route, Served};

/// One state of the catalog.
#[derive(Default)]
pub(super) struct Deployed {
    /// By the canonical form of their names among those of all tenants.
    pub(super) modules: HashMap<String, Arc<Served>>,
    tasks: Tasks,
}

/// What messages reach.
#[derive(Default)]
struct Tasks {
    /// Those of the default tenant: most messages find their tasks without a look at tenants.
    own: Routes,
    tenants: HashMap<TenantName, Routes>,
}

/// A tenant's tasks by their full names, in the spellings that messages are likely to have and in canonical form.
type Routes = HashMap<String, Arc<Route>>;

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

    /// The route of a task's name, as a message of a tenant has it.
    pub(super) fn route(&self, tenant: &TenantName, name: &str) -> Result<&Route, UnknownTask> {
        let routes = if tenant.is_default() {
            Some(&self.tasks.own)
        } else {
            self.tasks.tenants.get(tenant)
        };
        if let Some(route) = routes.and_then(|routes| routes.get(name)) {
            return Ok(route);
        }
        let parsed = TaskName::parse(name)?;
        let route = routes.and_then(|routes| routes.get(&*canonical(name)));
        (route.map(Arc::as_ref)).ok_or_else(|| self.unknown(tenant, parsed))
    }

    /// Why a tenant has no such task. What other tenants have is not said.
    fn unknown(&self, tenant: &TenantName, name: TaskName<'_>) -> UnknownTask {
        let own = |module: &str| self.module(&qualified(tenant, module));
        let found = name.among(|module| own(module).is_some());
        let served = found.and_then(|reading| Some((reading.task, own(reading.module)?)));
        let Some((task, served)) = served else {
            let modules = self.modules.values().filter_map(|served| {
                let (of, module) = owner(&served.record.name);
                (of == *tenant).then(|| module.to_owned())
            });
            return UnknownTask::no_module(name.as_str(), modules);
        };
        let tasks = served
            .active()
            .into_iter()
            .flat_map(|active| active.tasks.keys().map(String::as_str));
        UnknownTask::no_task(owner(&served.record.name).1, task.as_str(), tasks)
    }
}

/// All tasks by the names that messages use. A task is left out if its name belongs to another module of its tenant because
/// that module's name is longer.
fn routes(modules: &HashMap<String, Arc<Served>>) -> Tasks {
    let mut all = Tasks::default();
    for served in modules.values() {
        let (tenant, module) = owner(&served.record.name);
        let is_deployed = |module: &str| {
            let served = modules.get(&*canonical(&qualified(&tenant, module)));
            served.is_some_and(|served| served.record.is_deployed())
        };
        let routes = if tenant.is_default() {
            &mut all.own
        } else {
            all.tenants.entry(tenant.clone()).or_default()
        };
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
    all
}
