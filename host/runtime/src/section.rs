//! Custom sections of a module: what its author put beside the code.
//!
//! Must not know what a section means.

use wasmparser::{Parser, Payload};

/// The contents of all custom sections of this name, in the order of the file, each ended by a line
/// feed: those of a component itself, and those of the modules and components inside it. Nothing for
/// bytes that are not WebAssembly.
///
/// # Errors
/// Says where the WebAssembly is damaged.
pub fn custom_section(wasm: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let mut found = Vec::new();
    if !Parser::is_component(wasm) && !Parser::is_core_wasm(wasm) {
        return Ok(found);
    }
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| format!("it is damaged: {error}"))?;
        if let Payload::CustomSection(section) = payload
            && section.name() == name
        {
            found.extend_from_slice(section.data());
            found.push(b'\n');
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrap::wrap;

    fn found(text: &str) -> String {
        let wasm = wat::parse_str(text).unwrap();
        String::from_utf8(custom_section(&wasm, "note").unwrap()).unwrap()
    }

    #[test]
    fn sections_are_found_at_every_level() {
        assert_eq!(found(r#"(module (@custom "note" "a"))"#), "a\n");
        let nested = r#"(component
            (@custom "note" "outer")
            (@custom "other" "no")
            (core module (@custom "note" "inner"))
            (component (core module (@custom "note" "innermost"))))"#;
        assert_eq!(found(nested), "outer\ninner\ninnermost\n");
        assert_eq!(found("(module)"), "");
    }

    #[test]
    fn wrapping_keeps_them() {
        let command = r#"(module (@custom "note" "kept") (memory (export "memory") 1) (func (export "_start")))"#;
        let wrapped = wrap(wat::parse_str(command).unwrap()).unwrap();
        assert_eq!(custom_section(&wrapped.bytes, "note").unwrap(), b"kept\n");
    }

    #[test]
    fn damage_is_said_and_other_bytes_have_no_sections() {
        assert_eq!(custom_section(b"#!/bin/sh", "note").unwrap(), b"");
        let mut wasm = wat::parse_str(r#"(module (@custom "note" "a"))"#).unwrap();
        wasm.pop();
        assert!(
            custom_section(&wasm, "note")
                .unwrap_err()
                .contains("damaged")
        );
    }
}
