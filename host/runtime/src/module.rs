//! A loaded module and its tasks: everything that is known before the first call.
//!
//! Must not know how a call is run.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chicory_signature::{Arguments, Signature, ValidationError, canonical};
use wasmtime::Engine;
use wasmtime::component;

use crate::capability::{Need, Setup};
use crate::discover::{Entry, Found};
use crate::error::LoadError;
use crate::features::Needs;
use crate::limits::{LimitError, Limits, ResolvedLimits};
use crate::resident::Residency;
use crate::state::CallState;
use crate::ticker::Ticker;
use crate::typed::core_values;

/// A module that is ready to run: compiled, checked against its grants, linked.
pub struct Module {
    pub(crate) loaded: Arc<Loaded>,
    tasks: Vec<Arc<Task>>,
    /// By the canonical form of their full names, and of the short ones that mean one task.
    by_name: HashMap<String, usize>,
    description: Description,
}

/// A description of a module for people: what it offers and what it needs. The result of
/// [`crate::Sandbox::inspect`].
#[derive(Clone, Debug)]
pub struct Description {
    /// The name that it was loaded with.
    pub name: String,
    /// SHA-256 of the WebAssembly it was loaded from, in hexadecimal.
    pub digest: String,
    /// Size of the WebAssembly it was loaded from, in bytes.
    pub size: usize,
    /// Full names of its tasks, each with its type. [`chicory_signature::shown_names`] has shorter ones for people.
    pub tasks: Vec<(String, Signature)>,
    /// Exported functions that are not tasks, each with the reason.
    pub not_tasks: Vec<(String, String)>,
    /// Everything that it imports.
    pub imports: Vec<String>,
    /// What must be granted before it can run, by default or by the manifest.
    pub needs: Vec<Need>,
    /// Interfaces that it imports and that refuse every use: sockets.
    pub closed: Vec<String>,
    /// Why it can't be loaded here, whatever it is granted.
    pub problem: Option<Arc<LoadError>>,
}

/// What all tasks of a module share.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) linked: Linked,
    pub(crate) needs: Needs,
    /// What each call needs of the capabilities that it imports.
    pub(crate) setups: Box<[Setup]>,
    pub(crate) residency: Residency,
    pub(crate) ticker: Arc<Ticker>,
}

/// Code with its imports: what each call makes an instance of.
pub(crate) enum Linked {
    Component(component::InstancePre<CallState>),
    Program(wasmtime::InstancePre<CallState>),
}

impl Linked {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Linked::Component(pre) => pre.engine(),
            Linked::Program(pre) => pre.module().engine(),
        }
    }
}

/// One task of a module.
pub struct Task {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) entry: Entry,
    pub(crate) signature: Signature,
    /// How many core values its result is made of.
    pub(crate) core_values: usize,
    pub(crate) limits: ResolvedLimits,
    name: String,
    full_name: String,
}

impl Module {
    pub(crate) fn new(
        loaded: Arc<Loaded>,
        tasks: Vec<Arc<Task>>,
        description: Description,
    ) -> Self {
        let numbered = || tasks.iter().enumerate();
        let shown = numbered().map(|(index, task)| (canonical(&task.name).into_owned(), index));
        let full = numbered().map(|(index, task)| (canonical(&task.full_name).into_owned(), index));
        let by_name = shown.chain(full).collect();
        Module {
            loaded,
            tasks,
            by_name,
            description,
        }
    }

    /// The name that it was loaded with.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// SHA-256 of the WebAssembly it was loaded from, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.description.digest
    }

    /// Size of the WebAssembly it was loaded from, in bytes.
    pub fn size(&self) -> usize {
        self.description.size
    }

    /// Size of its compiled code in memory, in bytes.
    pub fn code_size(&self) -> usize {
        let image = match &self.loaded.linked {
            Linked::Component(pre) => pre.component().image_range(),
            Linked::Program(pre) => pre.module().image_range(),
        };
        image.end.addr() - image.start.addr()
    }

    /// Its tasks, in the order of its exports.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Arc<Task>> {
        self.tasks.iter()
    }

    /// The task of this name, in any spelling: `function`, `interface.function` with the interface's package and version,
    /// or without them if that means one task.
    pub fn task(&self, name: &str) -> Option<&Arc<Task>> {
        let index = self
            .by_name
            .get(name)
            .or_else(|| self.by_name.get(&*canonical(name)))?;
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

    /// What must be granted before it can run, by default or by the manifest.
    pub fn needs(&self) -> &[Need] {
        &self.description.needs
    }

    /// A description for people.
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

impl Task {
    pub(crate) fn new(
        loaded: &Arc<Loaded>,
        found: Found,
        name: String,
        limits: ResolvedLimits,
    ) -> Self {
        let Found {
            name: full_name,
            entry,
            signature,
        } = found;
        Task {
            loaded: Arc::clone(loaded),
            entry,
            core_values: core_values(signature.result.as_ref(), loaded.needs.concurrency),
            signature,
            limits,
            name,
            full_name,
        }
    }

    /// What the task is best called inside its module, in kebab-case: by the short name of its interface if that means
    /// one task, and by the full name otherwise.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name inside its module with the package and version of its interface, such as
    /// `acme:images/resize@1.2.0.to-width`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The name of its module.
    pub fn module(&self) -> &str {
        &self.loaded.name
    }

    /// The limits that apply to it.
    pub fn limits(&self) -> &ResolvedLimits {
        &self.limits
    }

    /// Its type.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The same task with other limits, which take precedence over those it has.
    ///
    /// # Errors
    /// Names the limit that can't be set, and what is allowed. Fuel can be limited only if the module was loaded with
    /// a limit on fuel.
    pub fn limited(&self, limits: &Limits) -> Result<Arc<Task>, LimitError> {
        if limits.fuel.is_some() && !self.loaded.needs.fuel {
            return Err(LimitError::Uncounted);
        }
        let held = self.limits.as_limits();
        Ok(Arc::new(Task {
            loaded: Arc::clone(&self.loaded),
            entry: self.entry,
            signature: self.signature.clone(),
            core_values: self.core_values,
            limits: ResolvedLimits::resolve(&limits.or(&held), self.limits.memory)?,
            name: self.name.clone(),
            full_name: self.full_name.clone(),
        }))
    }

    /// Checks whether these arguments fit, without calling the task.
    ///
    /// # Errors
    /// Says which argument doesn't fit, is missing, or is not known.
    pub fn validate(&self, arguments: &Arguments) -> Result<(), ValidationError> {
        self.signature.check(arguments)
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
