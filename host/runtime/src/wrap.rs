//! Makes of a module what the engine can run: a component stays as it is, a core module with WIT types is
//! wrapped as one, and a WASI program stays a core module.
//!
//! Must not know the engine.

mod error;

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1,
    WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as COMMAND,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{BinaryReaderError, Parser, Payload};
use wit_component::ComponentEncoder;

pub use self::error::ComponentError;

/// What the main module offers to an adapter, and what only adapters import from.
const MAIN_MODULE: &str = "__main_module__";

/// What the engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A component.
    Component,
    /// A core module with `_start`, which imports functions of WASI preview 1 or 0.
    Program,
}

/// Something that the engine can run.
#[derive(Debug)]
pub(crate) struct Wrapped {
    pub(crate) bytes: Vec<u8>,
    pub(crate) form: Form,
}

/// Wraps `wasm`, where it needs that.
pub(crate) fn wrap(wasm: Vec<u8>) -> Result<Wrapped, ComponentError> {
    let of = |bytes, form| Ok(Wrapped { bytes, form });
    if Parser::is_component(&wasm) {
        return of(wasm, Form::Component);
    }
    if !Parser::is_core_wasm(&wasm) {
        return Err(ComponentError::NotWebAssembly);
    }
    let core = Core::read(&wasm)?;
    match core {
        Core {
            typed: true,
            of_main: Some(import),
            ..
        } => Err(ComponentError::Adapter { import }),
        Core { typed: true, .. } => of(encode(&wasm, &core)?, Form::Component),
        Core { command: true, .. } => of(wasm, Form::Program),
        Core { foreign, .. } => Err(ComponentError::Untyped {
            imports_from: foreign,
        }),
    }
}

/// Makes a component from a core module with WIT types, as loading it does. A component stays as it is, and so
/// does a WASI program, which runs as a core module.
///
/// # Errors
/// Says what is wrong with `wasm`, and what to do.
pub fn to_component(wasm: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    wrap(wasm).map(|wrapped| wrapped.bytes)
}

/// What a core module reveals about itself.
#[derive(Debug, Default)]
struct Core {
    typed: bool,
    command: bool,
    preview1: bool,
    foreign: Option<String>,
    /// What it imports of a main module, as adapters do.
    of_main: Option<String>,
}

impl Core {
    fn read(wasm: &[u8]) -> Result<Core, BinaryReaderError> {
        let mut core = Core::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::CustomSection(section) => {
                    core.typed |= section.name().starts_with("component-type");
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        if import.module == MAIN_MODULE
                            || (import.module, import.name) == ("env", "memory")
                        {
                            core.of_main = Some(format!("{}.{}", import.module, import.name));
                        }
                        if import.module == PREVIEW1 {
                            core.preview1 = true;
                        } else {
                            core.foreign.get_or_insert_with(|| import.module.to_owned());
                        }
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        core.command |= export?.name == "_start";
                    }
                }
                _ => {}
            }
        }
        Ok(core)
    }
}

fn encode(wasm: &[u8], core: &Core) -> Result<Vec<u8>, ComponentError> {
    let encode = || {
        let mut encoder = ComponentEncoder::default().validate(false).module(wasm)?;
        if core.preview1 {
            let adapter = if core.command { COMMAND } else { REACTOR };
            encoder = encoder.adapter(PREVIEW1, adapter)?;
        }
        encoder.encode()
    };
    // The encoder trusts a module's type information in places.
    match catch_unwind(AssertUnwindSafe(encode)) {
        Ok(component) => component.map_err(|error| ComponentError::Encode(error.into())),
        Err(_) => Err(ComponentError::Mistyped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = wrap(wat::parse_str(text).unwrap()).unwrap_err();
        error.to_string()
    }

    #[test]
    fn components_and_programs_stay_as_they_are() {
        let command = r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")))"#;
        for (text, form) in [("(component)", Form::Component), (command, Form::Program)] {
            let wasm = wat::parse_str(text).unwrap();
            let wrapped = wrap(wasm.clone()).unwrap();
            assert_eq!((wrapped.bytes, wrapped.form), (wasm, form));
        }
    }

    #[test]
    fn what_cannot_be_wrapped_says_what_to_do() {
        let error = wrap(b"#!/bin/sh".to_vec()).unwrap_err();
        assert!(matches!(error, ComponentError::NotWebAssembly));
        let error = refused("(module (func (export \"add\")))");
        assert!(
            error.contains("build it as a component") && !error.contains("which imports"),
            "{error}"
        );
        let error = refused("(module (import \"env\" \"f\" (func)))");
        assert!(error.contains("which imports from `env`"), "{error}");
    }

    /// Case W8: an adapter given as a module.
    #[test]
    fn an_adapter_is_no_module() {
        for adapter in [COMMAND, REACTOR] {
            let error = wrap(adapter.to_vec()).unwrap_err();
            assert!(error.to_string().contains("it is an adapter"), "{error}");
        }
    }

    #[test]
    fn type_information_that_is_none_is_said() {
        for types in ["", "\\00", "not a type", "\\00asm\\0d\\00\\01\\00"] {
            let error = refused(&format!(
                "(module (@custom \"component-type\" \"{types}\"))"
            ));
            assert!(error.contains("can't be made a component"), "{error}");
        }
    }
}
