//! From machine code to a module that is ready to run: checks imports against grants, links, finds the tasks.
//!
//! Blocking and slow, so it runs on threads that may block. Must not know who asks.

use std::sync::Arc;

use chicory_signature::same_name;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::capability::{Capabilities, Imports};
use crate::codegen::{Codegen, MachineCode};
use crate::discover::Discovery;
use crate::engine::Needs;
use crate::error::{InvalidModule, LoadError, SettingsError};
use crate::limits::{Limits, ResolvedLimits};
use crate::module::{Description, Loaded, Module, Task};
use crate::request::{LoadRequest, ModuleSource};
use crate::resident::Residency;
use crate::settings::ModuleSettings;

/// What loading needs of the sandbox.
pub(crate) struct Loader {
    pub(crate) codegen: Codegen,
    pub(crate) capabilities: Capabilities,
    pub(crate) max_memory: u64,
    pub(crate) max_module_bytes: usize,
}

/// A compiled module, not yet checked against grants.
struct Compiled {
    component: Component,
    needs: Needs,
    imports: Vec<String>,
    discovery: Discovery,
    digest: String,
    size: usize,
}

impl Loader {
    /// Accepts a module that isn't too large, and looks for its code in the cache.
    pub(crate) fn begin(
        &self,
        request: LoadRequest,
    ) -> Result<(ModuleSource, Option<MachineCode>), LoadError> {
        let (size, limit) = (request.wasm.len(), self.max_module_bytes);
        if size > limit {
            return Err(LoadError::TooLarge {
                module: request.name,
                size,
                limit,
            });
        }
        let source = ModuleSource::of(request);
        let kept = self.codegen.kept(&source);
        Ok((source, kept))
    }

    /// Links a module whose imports are granted.
    pub(crate) fn load(
        &self,
        source: ModuleSource,
        code: MachineCode,
    ) -> Result<Module, LoadError> {
        let compiled = Compiled::of(&source, code)?;
        let ModuleSource { name, settings, .. } = source;
        let capabilities = &self.capabilities;
        let setups = capabilities.prepare(&compiled.imports, &settings.grants);
        let setups = setups.map_err(|error| LoadError::Settings {
            module: name.clone(),
            source: error.into(),
        })?;
        let sorted = capabilities.sort(&compiled.imports, &settings.grants);
        self.permit(&name, &sorted)?;
        let description = compiled.describe(&name, sorted);
        if compiled.discovery.tasks.is_empty() {
            return Err(LoadError::Invalid {
                module: name,
                source: InvalidModule::NoTasks(compiled.discovery.others),
            });
        }
        let invalid = |error: wasmtime::Error| LoadError::Invalid {
            module: name.clone(),
            source: InvalidModule::NotLinked(error.into()),
        };
        let linked = capabilities.link(&compiled.component, &compiled.imports);
        let loaded = Arc::new(Loaded {
            pre: linked.map_err(invalid)?,
            name: name.clone(),
            needs: compiled.needs,
            setups,
            residency: Residency::default(),
            ticker: Arc::clone(&self.codegen.engines.ticker),
        });
        let tasks = self.tasks(&loaded, compiled.discovery, &settings);
        let tasks = tasks.map_err(|source| LoadError::Settings {
            module: name,
            source,
        })?;
        Ok(Module::new(loaded, tasks, description))
    }

    /// Describes a module, whatever it is granted.
    pub(crate) fn inspect(
        &self,
        source: &ModuleSource,
        code: MachineCode,
    ) -> Result<Description, LoadError> {
        let compiled = Compiled::of(source, code)?;
        let grants = &source.settings.grants;
        let sorted = self.capabilities.sort(&compiled.imports, grants);
        Ok(compiled.describe(&source.name, sorted))
    }

    fn permit(&self, name: &str, imports: &Imports) -> Result<(), LoadError> {
        if !imports.unknown.is_empty() {
            return Err(LoadError::Unavailable {
                module: name.to_owned(),
                imports: imports.unknown.clone(),
                own: self.capabilities.own_names(),
            });
        }
        if !imports.missing.is_empty() {
            return Err(LoadError::Ungranted {
                module: name.to_owned(),
                needs: imports.missing.clone(),
            });
        }
        Ok(())
    }

    fn tasks(
        &self,
        loaded: &Arc<Loaded>,
        discovery: Discovery,
        settings: &ModuleSettings,
    ) -> Result<Vec<Arc<Task>>, SettingsError> {
        let known = |name: &String| {
            let mut tasks = discovery.tasks.iter();
            tasks.any(|task| same_name(&task.name, name))
        };
        if let Some(unknown) = settings.task_limits.keys().find(|name| !known(name)) {
            return Err(SettingsError::UnknownTask(unknown.clone()));
        }
        let none = Limits::default();
        let task = |found: crate::discover::Found| {
            let own = settings
                .task_limits
                .iter()
                .find(|(name, _)| same_name(&found.name, name))
                .map_or(&none, |(_, own)| own);
            let limits = ResolvedLimits::resolve(&own.or(&settings.limits), self.max_memory)?;
            Ok(Arc::new(Task::new(loaded, found, limits)))
        };
        discovery.tasks.into_iter().map(task).collect()
    }
}

impl Compiled {
    fn of(source: &ModuleSource, code: MachineCode) -> Result<Compiled, LoadError> {
        let MachineCode { component, needs } = code;
        let engine = component.engine();
        let imports: Vec<_> = component
            .component_type()
            .imports(engine)
            .filter(|(_, import)| !only_types(engine, &import.ty))
            .map(|(import, _)| import.to_owned())
            .collect();
        let discovery = Discovery::of(&component);
        Ok(Compiled {
            discovery: discovery.map_err(|error| source.invalid(error.into()))?,
            component,
            needs,
            imports,
            digest: source.digest.clone(),
            size: source.wasm.len(),
        })
    }

    fn describe(&self, name: &str, sorted: Imports) -> Description {
        let tasks = self.discovery.tasks.iter();
        Description {
            name: name.to_owned(),
            digest: self.digest.clone(),
            size: self.size,
            tasks: tasks
                .map(|task| (task.name.clone(), task.signature.clone()))
                .collect(),
            not_tasks: self.discovery.others.clone(),
            imports: self.imports.clone(),
            needs: sorted.needs,
            closed: sorted.closed,
        }
    }
}

/// Whether there is nothing to link. A guest's own types appear among its imports too.
fn only_types(engine: &Engine, import: &ComponentItem) -> bool {
    match import {
        ComponentItem::Type(_) => true,
        ComponentItem::ComponentInstance(instance) => {
            let mut exports = instance.exports(engine).peekable();
            // An empty one says nothing about what the interface has.
            exports.peek().is_some()
                && exports.all(|(_, export)| matches!(export.ty, ComponentItem::Type(_)))
        }
        _ => false,
    }
}
