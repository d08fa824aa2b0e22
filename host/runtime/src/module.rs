//! A loaded module and its tasks: everything about them that is known before the first call.
//!
//! Must not know how a call is run.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use wasmtime::component::{ComponentExportIndex, InstancePre};

use crate::address::HostGrant;
use crate::arguments::{bind, bind_program};
use crate::discover::{Found, Kind};
use crate::ended::ValidationError;
use crate::engine::Needs;
use crate::grant::Need;
use crate::settings::{Grants, Limits, ResolvedLimits};
use crate::shape::{Field, Shape, listed};
use crate::state::State;

/// A module that is ready to run: compiled, checked against its grants, linked.
pub struct Module {
    pub(crate) loaded: Arc<Loaded>,
    tasks: Vec<Arc<Task>>,
    by_name: HashMap<String, usize>,
    description: Description,
}

/// A module for people: what it offers, and what it needs. All that [`crate::Sandbox::inspect`] tells.
#[derive(Clone, Debug)]
pub struct Description {
    /// The name under which it was loaded.
    pub name: String,
    /// SHA-256 of the WebAssembly that was given, in hexadecimal.
    pub digest: String,
    /// Size of the WebAssembly that was given, in bytes.
    pub size: usize,
    /// Names of its tasks, each with its signature as WIT text.
    pub tasks: Vec<(String, String)>,
    /// Exported functions that are not tasks, each with the reason.
    pub not_tasks: Vec<(String, String)>,
    /// Everything that it imports.
    pub imports: Vec<String>,
    /// What it can't run without: granted by default, or by the manifest.
    pub needs: Vec<Need>,
    /// What it imports that is there and refuses every use: sockets.
    pub closed: Vec<String>,
}

/// What all tasks of a module share.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) pre: InstancePre<State>,
    pub(crate) needs: Needs,
    pub(crate) wasi: bool,
    pub(crate) grants: Grants,
    pub(crate) http: Arc<[HostGrant]>,
}

/// One task of a module.
pub struct Task {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) kind: Kind,
    pub(crate) export: ComponentExportIndex,
    pub(crate) params: Box<[Field]>,
    pub(crate) result: Option<Shape>,
    pub(crate) limits: ResolvedLimits,
    name: String,
}

impl Module {
    pub(crate) fn new(
        loaded: Arc<Loaded>,
        tasks: Vec<Arc<Task>>,
        description: Description,
    ) -> Self {
        let by_name = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| (key(&task.name), index))
            .collect();
        Module {
            loaded,
            tasks,
            by_name,
            description,
        }
    }

    /// The name under which it was loaded.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// SHA-256 of the WebAssembly that was given, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.description.digest
    }

    /// Size of the WebAssembly that was given, in bytes.
    pub fn size(&self) -> usize {
        self.description.size
    }

    /// Bytes of memory that its compiled code takes while it is loaded.
    pub fn code_size(&self) -> usize {
        let image = self.loaded.pre.component().image_range();
        image.end.addr() - image.start.addr()
    }

    /// Its tasks, in the order of its exports.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Arc<Task>> {
        self.tasks.iter()
    }

    /// The task of this name, `function` or `interface.function`, in kebab-case or `snake_case`.
    pub fn task(&self, name: &str) -> Option<&Arc<Task>> {
        let index = self
            .by_name
            .get(name)
            .or_else(|| self.by_name.get(&key(name)))?;
        self.tasks.get(*index)
    }

    /// Everything that it imports.
    pub fn imports(&self) -> Vec<String> {
        self.description.imports.clone()
    }

    /// Exported functions that are not tasks, each with the reason.
    pub fn not_tasks(&self) -> &[(String, String)] {
        &self.description.not_tasks
    }

    /// What it can't run without: granted by default, or by the manifest.
    pub fn needs(&self) -> &[Need] {
        &self.description.needs
    }

    /// All of it, for people.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

/// A name as it is looked up.
fn key(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

impl Task {
    pub(crate) fn new(loaded: &Arc<Loaded>, found: Found, limits: ResolvedLimits) -> Self {
        let Found {
            name,
            kind,
            export,
            params,
            result,
        } = found;
        Task {
            loaded: Arc::clone(loaded),
            kind,
            export,
            params,
            result,
            limits,
            name,
        }
    }

    /// The task's name inside its module, in kebab-case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its module.
    pub fn module(&self) -> &str {
        &self.loaded.name
    }

    /// The limits in force.
    pub fn limits(&self) -> &ResolvedLimits {
        &self.limits
    }

    /// Its type as WIT text, such as `func(a: u32, b: u32) -> result<u32, string>`.
    pub fn signature(&self) -> String {
        signature(self.kind, &self.params, self.result.as_ref())
    }

    /// The same task with limits of its own, which go before those it has.
    ///
    /// # Errors
    /// A sentence that names the limit and what is allowed. Fuel can be limited only where the module
    /// was loaded with a limit of fuel.
    pub fn limited(&self, limits: &Limits) -> Result<Arc<Task>, String> {
        if limits.fuel.is_some() && !self.loaded.needs.fuel {
            return Err(
                "fuel is not counted: the module was loaded without a limit of fuel".into(),
            );
        }
        let held = self.limits.as_limits();
        Ok(Arc::new(Task {
            loaded: Arc::clone(&self.loaded),
            kind: self.kind,
            export: self.export,
            params: self.params.clone(),
            result: self.result.clone(),
            limits: ResolvedLimits::resolve(&limits.or(&held), self.limits.memory)?,
            name: self.name.clone(),
        }))
    }

    /// Whether these arguments fit, without a call.
    pub fn validate(
        &self,
        args: &[Value],
        kwargs: &Map<String, Value>,
    ) -> Result<(), ValidationError> {
        match self.kind {
            Kind::Function => bind(&self.params, args, kwargs).map(drop),
            Kind::Command => bind_program(&self.loaded.name, args, kwargs).map(drop),
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Task({}.{}: {})",
            self.module(),
            self.name,
            self.signature()
        )
    }
}

/// A function's type as WIT text; a command's in the words of a shell.
pub(crate) fn signature(kind: Kind, params: &[Field], result: Option<&Shape>) -> String {
    struct Signature<'a>(&'a [Field], Option<&'a Shape>);
    impl fmt::Display for Signature<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            listed(f, "func(", self.0, ")")?;
            self.1.map_or(Ok(()), |result| write!(f, " -> {result}"))
        }
    }
    match kind {
        Kind::Function => Signature(params, result).to_string(),
        Kind::Command => "command(argv...; stdin: string) -> stdout".into(),
    }
}
