//! From machine code to a module that is ready to run: checks imports against grants, links, finds the tasks.
//!
//! Blocking and slow, so it runs on threads that may block. Must not know who asks.

use std::borrow::Cow;
use std::sync::Arc;

use chicory_signature::{Meaning, meaning, shown_names};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Engine, ExternType};

use crate::capability::{Capabilities, Imports, preview1};
use crate::codegen::{Code, Codegen, MachineCode};
use crate::discover::{Discovery, Found};
use crate::error::{InvalidModule, LoadError, SettingsError};
use crate::features::Needs;
use crate::limits::{Limits, ResolvedLimits};
use crate::module::{Description, Linked, Loaded, Module, Task};
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
    code: Code,
    needs: Needs,
    /// As people know them.
    imports: Vec<String>,
    /// As capabilities know them: of a program, those that give it the same.
    interfaces: Vec<String>,
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
        let setups = capabilities.prepare(&compiled.interfaces, &settings.grants);
        let setups = setups.map_err(|error| LoadError::Settings {
            module: name.clone(),
            source: error.into(),
        })?;
        let sorted = capabilities.sort(&compiled.interfaces, &settings.grants);
        self.available(&name, &sorted)?;
        if !sorted.missing.is_empty() {
            return Err(LoadError::Ungranted {
                module: name,
                needs: sorted.missing,
            });
        }
        let linked = self.link(&name, &compiled)?;
        let description = compiled.describe(&name, sorted);
        let loaded = Arc::new(Loaded {
            linked,
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
        let sorted = self.capabilities.sort(&compiled.interfaces, grants);
        let linked = self
            .available(&source.name, &sorted)
            .and_then(|()| self.link(&source.name, &compiled).map(drop));
        Ok(Description {
            problem: linked.err().map(Arc::new),
            ..compiled.describe(&source.name, sorted)
        })
    }

    /// Whether this host has everything that it imports.
    fn available(&self, name: &str, imports: &Imports) -> Result<(), LoadError> {
        if imports.unknown.is_empty() {
            return Ok(());
        }
        Err(LoadError::Unavailable {
            module: name.to_owned(),
            imports: imports.unknown.clone(),
            own: self.capabilities.own_names(),
        })
    }

    /// Links a module that has a task.
    fn link(&self, name: &str, compiled: &Compiled) -> Result<Linked, LoadError> {
        let invalid = |source| LoadError::Invalid {
            module: name.to_owned(),
            source,
        };
        if compiled.discovery.tasks.is_empty() {
            let others = compiled.discovery.others.clone();
            return Err(invalid(InvalidModule::NoTasks(others)));
        }
        let linked = match &compiled.code {
            Code::Component(component) => (self.capabilities)
                .link(component, &compiled.interfaces)
                .map(Linked::Component),
            Code::Program(program) => preview1::link(program).map(Linked::Program),
        };
        linked.map_err(|error| invalid(InvalidModule::NotLinked(error.into())))
    }

    fn tasks(
        &self,
        loaded: &Arc<Loaded>,
        discovery: Discovery,
        settings: &ModuleSettings,
    ) -> Result<Vec<Arc<Task>>, SettingsError> {
        let full: Vec<String> = (discovery.tasks.iter().map(|task| task.name.clone())).collect();
        let full = full.iter().map(String::as_str);
        let meant = |name: &str| meaning(full.clone(), name);
        let mut named = settings.task_limits.keys();
        if let Some(unknown) = named.find(|name| !matches!(meant(name), Meaning::Task(_))) {
            return Err(SettingsError::UnknownTask(unknown.clone()));
        }
        let none = Limits::default();
        let task = |(found, name): (Found, Cow<'_, str>)| {
            let own = (settings.task_limits.iter())
                .find(|(name, _)| meant(name) == Meaning::Task(&found.name))
                .map_or(&none, |(_, own)| own);
            let limits = ResolvedLimits::resolve(&own.or(&settings.limits), self.max_memory)?;
            Ok(Arc::new(Task::new(
                loaded,
                found,
                name.into_owned(),
                limits,
            )))
        };
        let shown = shown_names(full.clone());
        discovery.tasks.into_iter().zip(shown).map(task).collect()
    }
}

impl Compiled {
    fn of(source: &ModuleSource, code: MachineCode) -> Result<Compiled, LoadError> {
        let MachineCode { code, needs } = code;
        let (discovery, imports, interfaces) = match &code {
            Code::Component(component) => {
                let imports = imports(component);
                let discovery = Discovery::of(component);
                let discovery = discovery.map_err(|error| source.invalid(error.into()))?;
                (discovery, imports.clone(), imports)
            }
            Code::Program(program) => {
                let (imports, interfaces) = program_imports(program);
                (Discovery::of_program(program), imports, interfaces)
            }
        };
        Ok(Compiled {
            discovery,
            code,
            needs,
            imports,
            interfaces,
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
            problem: None,
        }
    }
}

fn imports(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let ty = component.component_type();
    let imports = ty.imports(engine);
    imports
        .filter(|(_, import)| !only_types(engine, &import.ty))
        .map(|(import, _)| import.to_owned())
        .collect()
}

/// What a program imports, and the interfaces that give the same. What has none stays as it is.
fn program_imports(program: &wasmtime::Module) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut interfaces) = (Vec::new(), Vec::new());
    for import in program.imports() {
        let (module, name) = (import.module(), import.name());
        let function = matches!(import.ty(), ExternType::Func(_));
        let shown = format!("{module}.{name}");
        match preview1::interfaces(module, name).filter(|_| function) {
            Some(given) => interfaces.extend(given.iter().map(|&name| name.to_owned())),
            None => interfaces.push(shown.clone()),
        }
        imports.push(shown);
    }
    interfaces.sort_unstable();
    interfaces.dedup();
    (imports, interfaces)
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
