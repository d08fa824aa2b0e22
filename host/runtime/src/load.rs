//! From machine code to a module that is ready to run: check imports against grants, link, find the
//! tasks.
//!
//! Blocking, and not quick: for threads that may block. Must not know who asks.

use std::fmt::Write as _;
use std::sync::Arc;

use chicory_signature::same_name;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::address::HostGrant;
use crate::codegen::{Codegen, MachineCode, Source};
use crate::discover::Discovery;
use crate::engine::Needs;
use crate::error::LoadError;
use crate::grant::{self, Imports};
use crate::module::{Description, Loaded, Module, Task};
use crate::resident::Residency;
use crate::settings::{Limits, ModuleSettings, ResolvedLimits};

/// A module to load.
#[derive(Debug)]
pub struct LoadRequest {
    /// The module's name, for errors and as the name of a command-line program.
    pub name: String,
    /// A component or a core module, in the binary format.
    pub wasm: Vec<u8>,
    /// What its manifest says.
    pub settings: ModuleSettings,
}

/// What loading needs of the sandbox.
pub(crate) struct Loader {
    pub(crate) codegen: Codegen,
    pub(crate) max_memory: u64,
    pub(crate) max_module_bytes: usize,
}

/// A compiled module, not yet checked against grants.
struct Compiled {
    component: Component,
    needs: Needs,
    imports: Vec<String>,
    sorted: Imports,
    discovery: Discovery,
    digest: String,
    size: usize,
}

impl Loader {
    /// Takes a module that isn't too large, with its code where that is kept.
    pub(crate) fn begin(
        &self,
        request: LoadRequest,
    ) -> Result<(Source, Option<MachineCode>), LoadError> {
        let (size, limit) = (request.wasm.len(), self.max_module_bytes);
        if size > limit {
            return Err(LoadError::TooLarge {
                module: request.name,
                size,
                limit,
            });
        }
        let source = Source::of(request);
        let kept = self.codegen.kept(&source);
        Ok((source, kept))
    }

    /// Makes a module that may run.
    pub(crate) fn load(&self, source: Source, code: MachineCode) -> Result<Module, LoadError> {
        let compiled = Compiled::of(&source, code);
        let Source { name, settings, .. } = source;
        let http = hosts(&settings).and_then(|hosts| directories(&settings).map(|()| hosts));
        let http = http.map_err(|reason| LoadError::Settings {
            module: name.clone(),
            reason,
        })?;
        permit(&name, &compiled.sorted)?;
        let description = compiled.describe(&name);
        if compiled.discovery.tasks.is_empty() {
            return Err(LoadError::Invalid {
                module: name,
                reason: no_tasks(&compiled.discovery),
            });
        }
        let invalid = |error: wasmtime::Error| LoadError::Invalid {
            module: name.clone(),
            reason: format!("{error:#}"),
        };
        let mut linker = Linker::new(compiled.component.engine());
        grant::link(&mut linker, compiled.imports.iter().map(String::as_str)).map_err(invalid)?;
        let loaded = Arc::new(Loaded {
            pre: linker
                .instantiate_pre(&compiled.component)
                .map_err(invalid)?,
            name: name.clone(),
            needs: compiled.needs,
            wasi: compiled.sorted.wasi,
            grants: settings.grants.clone(),
            http,
            residency: Residency::default(),
        });
        let tasks = self.tasks(&loaded, compiled.discovery, &settings);
        let tasks = tasks.map_err(|reason| LoadError::Settings {
            module: name,
            reason,
        })?;
        Ok(Module::new(loaded, tasks, description))
    }

    /// Describes a module, whatever it is granted.
    pub(crate) fn inspect(source: &Source, code: MachineCode) -> Description {
        Compiled::of(source, code).describe(&source.name)
    }

    fn tasks(
        &self,
        loaded: &Arc<Loaded>,
        discovery: Discovery,
        settings: &ModuleSettings,
    ) -> Result<Vec<Arc<Task>>, String> {
        let known = |name: &String| {
            discovery
                .tasks
                .iter()
                .any(|task| same_name(&task.name, name))
        };
        if let Some(unknown) = settings.task_limits.keys().find(|name| !known(name)) {
            return Err(format!(
                "it sets limits for `{unknown}`, which is not a task of the module"
            ));
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
    fn of(source: &Source, code: MachineCode) -> Compiled {
        let MachineCode { component, needs } = code;
        let engine = component.engine();
        let imports: Vec<_> = component
            .component_type()
            .imports(engine)
            .filter(|(_, import)| !only_types(engine, &import.ty))
            .map(|(import, _)| import.to_owned())
            .collect();
        Compiled {
            sorted: Imports::sort(imports.iter().map(String::as_str), &source.settings.grants),
            discovery: Discovery::of(&component),
            component,
            needs,
            imports,
            digest: source.digest.clone(),
            size: source.wasm.len(),
        }
    }

    fn describe(&self, name: &str) -> Description {
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
            needs: self.sorted.needs.clone(),
            closed: self.sorted.closed.clone(),
        }
    }
}

/// Whether there is nothing to link: a guest's own types appear among its imports.
fn only_types(engine: &Engine, import: &ComponentItem) -> bool {
    match import {
        ComponentItem::Type(_) => true,
        ComponentItem::ComponentInstance(instance) => {
            let mut exports = instance.exports(engine).peekable();
            // An empty one says nothing about what the interface would give.
            exports.peek().is_some()
                && exports.all(|(_, export)| matches!(export.ty, ComponentItem::Type(_)))
        }
        _ => false,
    }
}

fn permit(name: &str, imports: &Imports) -> Result<(), LoadError> {
    if !imports.unknown.is_empty() {
        return Err(LoadError::Unavailable {
            module: name.to_owned(),
            imports: imports.unknown.clone(),
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

fn hosts(settings: &ModuleSettings) -> Result<Arc<[HostGrant]>, String> {
    settings
        .grants
        .http
        .iter()
        .map(|text| HostGrant::parse(text))
        .collect()
}

fn directories(settings: &ModuleSettings) -> Result<(), String> {
    match settings.grants.dirs.iter().find(|dir| !dir.host.is_dir()) {
        Some(dir) => Err(format!(
            "[grants] dirs: {} is not a directory of this machine",
            dir.host.display()
        )),
        None => Ok(()),
    }
}

fn no_tasks(discovery: &Discovery) -> String {
    let mut reason = String::from("it exports no function that can be a task");
    for (name, why) in &discovery.others {
        let _ = write!(reason, "\n  `{name}`: {why}");
    }
    reason
}
