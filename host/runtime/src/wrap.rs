//! Makes a component: keeps a component as it is, and wraps a core module.
//!
//! Must not know the engine.

mod error;
mod room;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1,
    WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as COMMAND,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{CanonicalFunction, CanonicalOption, Parser, Payload};
use wit_component::ComponentEncoder;

pub use self::error::ComponentError;

/// The component, and what it needs from its engine.
#[derive(Debug)]
pub(crate) struct Wrapped {
    pub(crate) bytes: Vec<u8>,
    /// It uses the component model's async.
    pub(crate) concurrency: bool,
}

/// Wraps `wasm`.
pub(crate) fn wrap(wasm: Vec<u8>) -> Result<Wrapped, ComponentError> {
    let bytes = if Parser::is_component(&wasm) {
        wasm
    } else if Parser::is_core_wasm(&wasm) {
        encode(&wasm)?
    } else {
        return Err(ComponentError::NotWebAssembly);
    };
    let concurrency = uses_concurrency(&bytes)?;
    Ok(Wrapped { bytes, concurrency })
}

/// Makes a component from a core module, as loading it does. A component stays as it is.
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
}

impl Core {
    fn read(wasm: &[u8]) -> Result<Core, wasmparser::BinaryReaderError> {
        let mut core = Core::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::CustomSection(section) => {
                    core.typed |= section.name().starts_with("component-type");
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let module = import?.module;
                        if module == PREVIEW1 {
                            core.preview1 = true;
                        } else {
                            core.foreign.get_or_insert_with(|| module.to_owned());
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

fn encode(wasm: &[u8]) -> Result<Vec<u8>, ComponentError> {
    let core = Core::read(wasm)?;
    if !core.typed && !core.command {
        return Err(ComponentError::Untyped {
            imports_from: core.foreign,
        });
    }
    let roomy = if core.preview1 {
        room::make(wasm)?
    } else {
        None
    };
    let component = (|| {
        let mut encoder = ComponentEncoder::default()
            .validate(false)
            .module(roomy.as_deref().unwrap_or(wasm))?;
        if core.preview1 {
            let adapter = if core.command { COMMAND } else { REACTOR };
            encoder = encoder.adapter(PREVIEW1, adapter)?;
        }
        encoder.encode()
    })();
    component.map_err(|error| ComponentError::Encode(error.into()))
}

/// Whether a component lifts or lowers anything with the async ABI, or uses async built-ins.
fn uses_concurrency(component: &[u8]) -> Result<bool, wasmparser::BinaryReaderError> {
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::ComponentCanonicalSection(section) = payload? {
            for function in section {
                if is_concurrent(&function?) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

fn is_concurrent(function: &CanonicalFunction) -> bool {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            options.contains(&CanonicalOption::Async)
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
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
    fn a_component_stays_as_it_is() {
        let component = wat::parse_str("(component)").unwrap();
        let wrapped = wrap(component.clone()).unwrap();
        assert_eq!((wrapped.bytes, wrapped.concurrency), (component, false));
    }

    #[test]
    fn a_preview1_command_becomes_a_component() {
        let command = r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")))"#;
        let wrapped = wrap(wat::parse_str(command).unwrap()).unwrap();
        assert!(Parser::is_component(&wrapped.bytes));
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

    #[test]
    fn async_lifts_are_found() {
        let component = r#"(component
            (core module $m
                (func (export "f") (result i32) (i32.const 0))
                (func (export "cb") (param i32 i32 i32) (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (type $t (func async))
            (func (export "f") (type $t)
                (canon lift (core func $i "f") async (callback (core func $i "cb")))))"#;
        assert!(
            wrap(wat::parse_str(component).unwrap())
                .unwrap()
                .concurrency
        );
    }
}
