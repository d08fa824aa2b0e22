//! A core module without its debug information, which is most of its bytes.
//!
//! Names of functions stay, for backtraces. Must not know who made the module.

use wasm_encoder::{Module, RawSection};
use wasmparser::{Parser, Payload};

/// The module without DWARF. Anything but a core module stays as it is.
pub(crate) fn debug_lines(wasm: Vec<u8>) -> Vec<u8> {
    if !Parser::is_core_wasm(&wasm) {
        return wasm;
    }
    without(&wasm).unwrap_or(wasm)
}

/// None where the module can't be read: loading it gives the reason.
fn without(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        if matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug_"))
        {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            let data = wasm.get(range)?;
            kept.section(&RawSection { id, data });
        }
    }
    Some(kept.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debug_sections_go() {
        let text = |debug: &str| {
            format!(
                "(module (func $f (export \"f\")) (memory 1) (data (i32.const 0) \"{}\") {debug} (@custom \"mine\" \"x\"))",
                "a".repeat(300)
            )
        };
        let with = wat::parse_str(text("(@custom \".debug_line\" \"lines\")")).unwrap();
        let plain = wat::parse_str(text("")).unwrap();
        assert_eq!(debug_lines(with), plain);
        assert_eq!(debug_lines(plain.clone()), plain);
        assert_eq!(debug_lines(b"no module".to_vec()), b"no module");
    }
}
