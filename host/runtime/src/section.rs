//! Custom sections of a module: what its author stored beside the code.
//!
//! Must not know what a section means.

use std::ops::Range;

use wasm_encoder::{CustomSection, Section as _};
use wasmparser::{BinaryReader, Parser, Payload};

/// WebAssembly that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("it is damaged")]
pub struct DamagedModule(#[source] pub(crate) wasmparser::BinaryReaderError);

/// The contents of all custom sections of this name, in file order, each followed by a line feed: those of
/// the component itself and of the modules and components inside it. Empty for bytes that are not
/// WebAssembly.
///
/// # Errors
/// Says where the WebAssembly is damaged.
pub fn custom_section(wasm: &[u8], name: &str) -> Result<Vec<u8>, DamagedModule> {
    let mut found = Vec::new();
    if !Parser::is_component(wasm) && !Parser::is_core_wasm(wasm) {
        return Ok(found);
    }
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(DamagedModule)?;
        if let Payload::CustomSection(section) = payload
            && section.name() == name
        {
            found.extend_from_slice(section.data());
            found.push(b'\n');
        }
    }
    Ok(found)
}

/// The contents of the last custom section of this name in the module or component itself, ignoring what is
/// inside it.
///
/// # Errors
/// Says where the WebAssembly is damaged.
pub fn own_custom_section(wasm: &[u8], name: &str) -> Result<Option<Vec<u8>>, DamagedModule> {
    let mut found = None;
    own_sections(wasm, name, |section| {
        found = Some(wasm[section.contents].to_vec());
    })?;
    Ok(found)
}

/// The same WebAssembly without the custom sections of this name in the module or component itself.
///
/// # Errors
/// Says where the WebAssembly is damaged.
pub fn without_custom_section(wasm: &[u8], name: &str) -> Result<Vec<u8>, DamagedModule> {
    let mut rest = Vec::with_capacity(wasm.len());
    let mut copied = 0;
    own_sections(wasm, name, |section| {
        rest.extend_from_slice(&wasm[copied..section.whole.start]);
        copied = section.whole.end;
    })?;
    rest.extend_from_slice(&wasm[copied..]);
    Ok(rest)
}

/// The same WebAssembly with one more custom section at its end.
pub fn with_custom_section(mut wasm: Vec<u8>, name: &str, contents: &[u8]) -> Vec<u8> {
    let section = CustomSection {
        name: name.into(),
        data: contents.into(),
    };
    section.append_to(&mut wasm);
    wasm
}

/// Where a custom section is.
struct SectionRange {
    /// With its id and its size.
    whole: Range<usize>,
    contents: Range<usize>,
}

/// Visits the custom sections of this name at the outermost level, in order.
fn own_sections(
    wasm: &[u8],
    name: &str,
    mut look: impl FnMut(SectionRange),
) -> Result<(), DamagedModule> {
    if !Parser::is_component(wasm) && !Parser::is_core_wasm(wasm) {
        return Ok(());
    }
    let mut depth = 0_usize;
    // The end of the previous section: sections follow each other without a gap.
    let mut before = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(DamagedModule)?;
        match &payload {
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => {
                // The parser doesn't mind a part that is cut off after one of its sections.
                if unchecked_range.end > wasm.len() {
                    BinaryReader::new(&[], wasm.len())
                        .read_u8()
                        .map_err(DamagedModule)?;
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == name => {
                let end = section.range().end;
                look(SectionRange {
                    whole: before..end,
                    contents: section.data_offset()..end,
                });
            }
            _ => {}
        }
        before = end_of(&payload).unwrap_or(before);
    }
    Ok(())
}

/// Where a part of the file ends.
fn end_of(payload: &Payload<'_>) -> Option<usize> {
    match payload {
        Payload::Version { range, .. } => Some(range.end),
        Payload::End(offset) => Some(*offset),
        other => other.as_section().map(|(_, range)| range.end),
    }
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

    /// Of a program, which stays what it is, and of a module with WIT types, which becomes a component.
    #[test]
    fn wrapping_keeps_them() {
        let program = r#"(module (@custom "note" "kept") (func (export "_start")))"#;
        let mut typed = wat::parse_str(r#"(module (@custom "note" "kept"))"#).unwrap();
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve
            .push_str("none.wit", "package a:none; world none {}")
            .unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut typed, &resolve, world, encoding).unwrap();
        for wasm in [wat::parse_str(program).unwrap(), typed] {
            let wrapped = wrap(wasm).unwrap();
            assert_eq!(custom_section(&wrapped.bytes, "note").unwrap(), b"kept\n");
        }
    }

    #[test]
    fn a_modules_own_sections_are_told_from_those_inside() {
        let nested = r#"(component
            (core module (@custom "note" "inner"))
            (@custom "note" "first") (@custom "other" "no") (@custom "note" "last"))"#;
        let wasm = wat::parse_str(nested).unwrap();
        assert_eq!(own_custom_section(&wasm, "note").unwrap().unwrap(), b"last");
        assert_eq!(own_custom_section(&wasm, "none").unwrap(), None);
        let rest = without_custom_section(&wasm, "note").unwrap();
        assert_eq!(own_custom_section(&rest, "note").unwrap(), None);
        assert_eq!(custom_section(&rest, "note").unwrap(), b"inner\n");
        assert_eq!(custom_section(&rest, "other").unwrap(), b"no\n");
        assert_eq!(without_custom_section(&rest, "note").unwrap(), rest);
        let core = wat::parse_str(r#"(module (@custom "note" "a") (func))"#).unwrap();
        let rest = without_custom_section(&core, "note").unwrap();
        assert_eq!(own_custom_section(&rest, "note").unwrap(), None);
        assert!(wasmparser::validate(&rest).is_ok());
    }

    #[test]
    fn a_section_that_is_added_is_the_last() {
        let wasm = wat::parse_str(r#"(component (@custom "note" "first"))"#).unwrap();
        let more = with_custom_section(wasm.clone(), "note", &[b'x'; 300]);
        assert_eq!(
            own_custom_section(&more, "note").unwrap().unwrap(),
            [b'x'; 300]
        );
        assert!(more.starts_with(&wasm));
        assert_eq!(
            without_custom_section(&more, "note").unwrap(),
            wat::parse_str("(component)").unwrap()
        );
    }

    #[test]
    fn damage_is_said_and_other_bytes_have_no_sections() {
        assert_eq!(custom_section(b"#!/bin/sh", "note").unwrap(), b"");
        let mut wasm = wat::parse_str(r#"(module (@custom "note" "a"))"#).unwrap();
        wasm.pop();
        let error = custom_section(&wasm, "note").unwrap_err();
        assert_eq!(error.to_string(), "it is damaged");
    }
}
