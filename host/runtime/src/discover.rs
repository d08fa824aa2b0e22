//! Finds the tasks among a component's exports, and says why its other functions are not tasks.
//!
//! Must not know settings, nor how a task is called.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};
use wasmtime::{Module, ModuleExport};

use chicory_signature::{Kind, LocalName, Signature, TypeBudget, TypeLimitError, same_name};

use crate::types::{NoShape, field, shape};

/// Where a task begins.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// A function of a component.
    Export(ComponentExportIndex),
    /// A program's `_start`.
    Start(ModuleExport),
}

/// An exported function that can be called with JSON.
pub(crate) struct Found {
    /// `function`, or `interface.function` with the interface's package and version.
    pub(crate) name: String,
    pub(crate) entry: Entry,
    pub(crate) signature: Signature,
}

/// What a component exports.
#[derive(Default)]
pub(crate) struct Discovery {
    pub(crate) tasks: Vec<Found>,
    /// Functions that are not tasks, each with the reason.
    pub(crate) others: Vec<(String, String)>,
}

/// Why a module's functions can't be listed: the types of one are too large.
#[derive(Debug, thiserror::Error)]
#[error("its function `{function}` can't be a task")]
pub struct TypesTooLarge {
    function: String,
    source: TypeLimitError,
}

impl TypesTooLarge {
    pub(crate) fn of(function: &str, source: TypeLimitError) -> Self {
        let function = shown(function);
        Self { function, source }
    }
}

/// Why a function is not a task.
enum NotTask {
    Reason(String),
    Limit(TypeLimitError),
}

impl From<&str> for NotTask {
    fn from(reason: &str) -> Self {
        Self::Reason(reason.to_owned())
    }
}

impl Discovery {
    /// Looks through the exports, and through those of exported interfaces.
    ///
    /// # Errors
    /// When the types of a function that could be a task are larger than types may be.
    pub(crate) fn of(component: &Component) -> Result<Discovery, TypesTooLarge> {
        let engine = component.engine();
        let mut discovery = Discovery::default();
        let mut budget = TypeBudget::default();
        for (name, export) in component.component_type().exports(engine) {
            let Some(index) = component.get_export_index(None, name) else {
                continue;
            };
            match export.ty {
                ComponentItem::ComponentFunc(func) => {
                    discovery.add(name.to_owned(), Kind::Function, &func, index, &mut budget)?;
                }
                ComponentItem::ComponentInstance(instance) => {
                    for (function, export) in instance.exports(engine) {
                        let ComponentItem::ComponentFunc(func) = export.ty else {
                            continue;
                        };
                        let Some(index) = component.get_export_index(Some(&index), function) else {
                            continue;
                        };
                        let (name, kind) = name_inside(name, function);
                        discovery.add(name, kind, &func, index, &mut budget)?;
                    }
                }
                _ => {}
            }
        }
        Ok(discovery)
    }

    /// A program is one task.
    pub(crate) fn of_program(program: &Module) -> Discovery {
        let start = program.get_export_index("_start");
        let tasks = start.map(|start| Found {
            name: "run".into(),
            entry: Entry::Start(start),
            signature: Signature {
                kind: Kind::Command,
                params: Box::default(),
                result: None,
            },
        });
        Discovery {
            tasks: tasks.into_iter().collect(),
            others: Vec::new(),
        }
    }

    fn add(
        &mut self,
        name: String,
        kind: Kind,
        func: &ComponentFunc,
        export: ComponentExportIndex,
        budget: &mut TypeBudget,
    ) -> Result<(), TypesTooLarge> {
        match self.check(&name, kind, func, budget) {
            Ok(signature) => self.tasks.push(Found {
                name,
                entry: Entry::Export(export),
                signature,
            }),
            Err(NotTask::Reason(reason)) => self.others.push((shown(&name), reason)),
            Err(NotTask::Limit(limit)) => return Err(TypesTooLarge::of(&name, limit)),
        }
        Ok(())
    }

    fn check(
        &self,
        name: &str,
        kind: Kind,
        func: &ComponentFunc,
        budget: &mut TypeBudget,
    ) -> Result<Signature, NotTask> {
        if name.contains('[') {
            return Err("it belongs to a resource".into());
        }
        if is_called_by_its_builder(name, func) {
            return Err("componentize-py calls it once, while it builds the module".into());
        }
        LocalName::parse(name).map_err(|error| NotTask::Reason(error.to_string()))?;
        if self.tasks.iter().any(|task| same_name(&task.name, name)) {
            return Err("another export has the same name".into());
        }
        budget.task(func.params().len()).map_err(NotTask::Limit)?;
        let mut params = Vec::new();
        for (param, ty) in func.params() {
            let read = field(param, &ty, budget);
            params.push(read.map_err(|why| NotTask::of(&format!("parameter `{param}`"), why))?);
        }
        let result = func.results().next();
        let result = result.map(|ty| shape(&ty, budget)).transpose();
        Ok(Signature {
            kind,
            params: params.into(),
            result: result.map_err(|why| NotTask::of("result", why))?,
        })
    }
}

impl NotTask {
    fn of(part: &str, why: NoShape) -> Self {
        match why {
            NoShape::Kind(what) => {
                Self::Reason(format!("its {part} has {what}, which JSON can't carry"))
            }
            NoShape::Limit(limit) => Self::Limit(limit),
        }
    }
}

/// Maximum length of an export's name in a message, in bytes.
const SHOWN: usize = 256;

/// An export's name for messages.
fn shown(name: &str) -> String {
    match name.floor_char_boundary(SHOWN) {
        whole if whole == name.len() => name.to_owned(),
        end => format!("{}…", &name[..end]),
    }
}

/// Whether it is what componentize-py leaves in every module: the start of the interpreter, whose outcome is
/// in the module's memory. By its parameters as well, since a task may have its name.
fn is_called_by_its_builder(name: &str, func: &ComponentFunc) -> bool {
    name == "exports.init"
        && func
            .params()
            .map(|(param, _)| param)
            .eq(["app-name", "symbols", "stub-wasi"])
}

/// The task's name for a function of an exported interface.
fn name_inside(interface: &str, function: &str) -> (String, Kind) {
    let (path, version) = interface.split_once('@').unwrap_or((interface, ""));
    if path == "wasi:cli/run" && version.starts_with("0.2.") && function == "run" {
        return ("run".into(), Kind::Command);
    }
    let full = format!("{interface}.{function}");
    // A name that is too long, or is of no form that tasks' names have, may still be fine without the package.
    let name = match LocalName::parse(&full) {
        Ok(_) => full,
        Err(_) => format!("{}.{function}", path.rsplit('/').next().unwrap_or(path)),
    };
    (name, Kind::Function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_builder_calls_is_no_task_and_its_name_is_free() {
        let module = |params: &str| {
            let params_wasm = "i32 ".repeat(3);
            let text = format!(
                r#"(component
                    (core module $m (func (export "f") (param {params_wasm})))
                    (core instance $i (instantiate $m))
                    (func $f {params} (canon lift (core func $i "f")))
                    (instance $e (export "init" (func $f)))
                    (export "exports" (instance $e)))"#
            );
            let wasm = wat::parse_str(text).unwrap();
            let component = Component::new(&wasmtime::Engine::default(), wasm).unwrap();
            Discovery::of(&component).unwrap()
        };
        let left =
            module(r#"(param "app-name" u32) (param "symbols" u32) (param "stub-wasi" bool)"#);
        assert!(left.tasks.is_empty());
        assert!(left.others[0].1.contains("componentize-py"));
        let own = module(r#"(param "a" u32) (param "b" u32) (param "c" bool)"#);
        assert_eq!(own.tasks[0].name, "exports.init");
    }

    #[test]
    fn functions_of_interfaces_have_its_name_before_them() {
        assert_eq!(
            name_inside("acme:images/resize@1.2.0", "to-width").0,
            "acme:images/resize@1.2.0.to-width"
        );
        let long = format!("acme:{}/resize", "a".repeat(200));
        assert_eq!(name_inside(&long, "to-width").0, "resize.to-width");
        assert_eq!(name_inside("plain", "f").0, "plain.f");
        assert_eq!(
            name_inside("wasi:cli/run@0.2.6", "run"),
            ("run".into(), Kind::Command)
        );
    }
}
