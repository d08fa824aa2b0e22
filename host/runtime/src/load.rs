//! From a module's bytes to a module that is ready to run: wrap, compile or take from the cache,
//! check imports against grants, link, find the tasks.
//!
//! Blocking, and not quick: for threads that may block. Must not know who asks.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::address::HostGrant;
use crate::cache::Cache;
use crate::discover::Discovery;
use crate::engine::{Engines, Needs, fingerprint};
use crate::error::LoadError;
use crate::grant::{self, Imports};
use crate::module::{Description, Loaded, Module, Task};
use crate::settings::{Limits, ModuleSettings, ResolvedLimits};
use crate::wrap::wrap;

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
    pub(crate) engines: Arc<Engines>,
    pub(crate) cache: Option<Cache>,
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
    /// Loads a module that may run.
    pub(crate) fn load(&self, request: LoadRequest) -> Result<Module, LoadError> {
        let LoadRequest {
            name,
            wasm,
            settings,
        } = request;
        let http = hosts(&settings).and_then(|hosts| directories(&settings).map(|()| hosts));
        let http = http.map_err(|reason| LoadError::Settings {
            module: name.clone(),
            reason,
        })?;
        let compiled = self.compile(&name, wasm, &settings)?;
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
        });
        let tasks = self.tasks(&loaded, compiled.discovery, &settings);
        let tasks = tasks.map_err(|reason| LoadError::Settings {
            module: name,
            reason,
        })?;
        Ok(Module::new(loaded, tasks, description))
    }

    /// Describes a module, whatever it is granted.
    pub(crate) fn inspect(&self, request: LoadRequest) -> Result<Description, LoadError> {
        let LoadRequest {
            name,
            wasm,
            settings,
        } = request;
        let compiled = self.compile(&name, wasm, &settings)?;
        Ok(compiled.describe(&name))
    }

    fn compile(
        &self,
        name: &str,
        wasm: Vec<u8>,
        settings: &ModuleSettings,
    ) -> Result<Compiled, LoadError> {
        let (size, limit) = (wasm.len(), self.max_module_bytes);
        if size > limit {
            return Err(LoadError::TooLarge {
                module: name.to_owned(),
                size,
                limit,
            });
        }
        let invalid = |reason: String| LoadError::Invalid {
            module: name.to_owned(),
            reason,
        };
        let digest = hex(&Sha256::digest(&wasm));
        let wrapped = wrap(wasm).map_err(invalid)?;
        let limits = || std::iter::once(&settings.limits).chain(settings.task_limits.values());
        let needs = Needs {
            fuel: limits().any(|limits| limits.fuel.is_some()),
            concurrency: wrapped.concurrency,
        };
        let engine = self
            .engines
            .get(needs)
            .map_err(|error| invalid(format!("{error:#}")))?;
        let component = self.machine_code(engine, &digest, &wrapped.bytes);
        let component =
            component.map_err(|error| invalid(format!("it can't be compiled: {error:#}")))?;
        let imports: Vec<_> = component
            .component_type()
            .imports(engine)
            .filter(|(_, import)| !only_types(engine, &import.ty))
            .map(|(import, _)| import.to_owned())
            .collect();
        Ok(Compiled {
            sorted: Imports::sort(imports.iter().map(String::as_str), &settings.grants),
            discovery: Discovery::of(&component),
            component,
            needs,
            imports,
            digest,
            size,
        })
    }

    /// The compiled component, from the cache if it is there.
    fn machine_code(
        &self,
        engine: &Engine,
        digest: &str,
        wasm: &[u8],
    ) -> wasmtime::Result<Component> {
        let Some(cache) = &self.cache else {
            return Component::from_binary(engine, wasm);
        };
        let file = format!("{digest}-{:016x}.cwasm", fingerprint(engine));
        if let Some(found) = cache.get(&file).and_then(|code| trusted(engine, &code)) {
            return Ok(found);
        }
        let component = Component::from_binary(engine, wasm)?;
        if let Err(error) = cache.put(&file, &component.serialize()?) {
            tracing::warn!(%error, file, "can't cache a compiled module; it will be compiled again next time");
        }
        Ok(component)
    }

    fn tasks(
        &self,
        loaded: &Arc<Loaded>,
        discovery: Discovery,
        settings: &ModuleSettings,
    ) -> Result<Vec<Arc<Task>>, String> {
        let same = |a: &str, b: &str| chicory_signature::names(a, b);
        let known = |name: &String| discovery.tasks.iter().any(|task| same(&task.name, name));
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
                .find(|(name, _)| same(&found.name, name))
                .map_or(&none, |(_, own)| own);
            let limits = ResolvedLimits::resolve(&own.or(&settings.limits), self.max_memory)?;
            Ok(Arc::new(Task::new(loaded, found, limits)))
        };
        discovery.tasks.into_iter().map(task).collect()
    }
}

impl Compiled {
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

/// Makes a component of code that this host compiled.
fn trusted(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the cache gives only bytes that carry a MAC under this host's own key, and this host
    // writes nothing there but what `Component::serialize` gave it. wasmtime itself then checks that
    // its version and settings are those of the code.
    #[expect(unsafe_code, reason = "the one way to load compiled code; see above")]
    let component = unsafe { Component::deserialize(engine, code) };
    component.ok()
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
