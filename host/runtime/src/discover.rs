//! Finds the tasks among a component's exports, and says why its other functions are not tasks.
//!
//! Must not know settings, nor how a task is called.

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use chicory_signature::{Kind, LocalName, Signature, same_name};

use crate::types::{field, shape};

/// An exported function that can be called with JSON.
pub(crate) struct Found {
    /// `function`, or `interface.function`.
    pub(crate) name: String,
    pub(crate) export: ComponentExportIndex,
    pub(crate) signature: Signature,
}

/// What a component exports.
#[derive(Default)]
pub(crate) struct Discovery {
    pub(crate) tasks: Vec<Found>,
    /// Functions that are not tasks, each with the reason.
    pub(crate) others: Vec<(String, String)>,
}

impl Discovery {
    /// Looks through the exports, and through those of exported interfaces.
    pub(crate) fn of(component: &Component) -> Discovery {
        let engine = component.engine();
        let mut discovery = Discovery::default();
        for (name, export) in component.component_type().exports(engine) {
            let Some(index) = component.get_export_index(None, name) else {
                continue;
            };
            match export.ty {
                ComponentItem::ComponentFunc(func) => {
                    discovery.add(name.to_owned(), Kind::Function, &func, index);
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
                        discovery.add(name, kind, &func, index);
                    }
                }
                _ => {}
            }
        }
        discovery
    }

    fn add(
        &mut self,
        name: String,
        kind: Kind,
        func: &ComponentFunc,
        export: ComponentExportIndex,
    ) {
        match self.check(&name, kind, func) {
            Ok(signature) => self.tasks.push(Found {
                name,
                export,
                signature,
            }),
            Err(reason) => self.others.push((name, reason)),
        }
    }

    fn check(&self, name: &str, kind: Kind, func: &ComponentFunc) -> Result<Signature, String> {
        if name.contains('[') {
            return Err("it belongs to a resource".into());
        }
        if is_called_by_its_builder(name, func) {
            return Err("componentize-py calls it once, while it builds the module".into());
        }
        LocalName::parse(name).map_err(|error| error.to_string())?;
        if self.tasks.iter().any(|task| same_name(&task.name, name)) {
            return Err("another export has the same name".into());
        }
        let param = |(name, ty): (&str, _)| {
            field(name, &ty).map_err(|what| {
                format!("its parameter `{name}` has {what}, which JSON can't carry")
            })
        };
        let params = func.params().map(param).collect::<Result<_, _>>()?;
        let result = func.results().next().map(|ty| shape(&ty)).transpose();
        let result =
            result.map_err(|what| format!("its result has {what}, which JSON can't carry"))?;
        Ok(Signature {
            kind,
            params,
            result,
        })
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
    let short = path.rsplit('/').next().unwrap_or(path);
    (format!("{short}.{function}"), Kind::Function)
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
            Discovery::of(&Component::new(&wasmtime::Engine::default(), wasm).unwrap())
        };
        let left =
            module(r#"(param "app-name" u32) (param "symbols" u32) (param "stub-wasi" bool)"#);
        assert!(left.tasks.is_empty());
        assert!(left.others[0].1.contains("componentize-py"));
        let own = module(r#"(param "a" u32) (param "b" u32) (param "c" bool)"#);
        assert_eq!(own.tasks[0].name, "exports.init");
    }

    #[test]
    fn functions_of_interfaces_have_the_short_name_before_them() {
        assert_eq!(
            name_inside("acme:images/resize@1.2.0", "to-width").0,
            "resize.to-width"
        );
        assert_eq!(name_inside("plain", "f").0, "plain.f");
        assert_eq!(
            name_inside("wasi:cli/run@0.2.6", "run"),
            ("run".into(), Kind::Command)
        );
    }
}
