//! Which features of WebAssembly a module needs, and which of them an operator must allow.
//!
//! Must not know the engine's other settings.

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

/// Features that modules may use only where an operator allows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Features {
    /// Garbage-collected objects (`struct`, `array`), as compilers of Java, Kotlin and Dart use them. Their heap
    /// counts as one of the task's memories.
    pub gc: bool,
    /// Memories with 64-bit addresses. They are no larger than others, but slower, because each access is checked.
    pub memory64: bool,
}

impl Features {
    /// The names of all, as settings have them.
    pub const NAMES: [&str; 2] = ["gc", "memory64"];

    /// Allows the feature of this name. Answers whether there is one.
    pub fn allow(&mut self, name: &str) -> bool {
        match name {
            "gc" => self.gc = true,
            "memory64" => self.memory64 = true,
            _ => return false,
        }
        true
    }
}

/// What a module needs from its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Counting fuel.
    pub(crate) fuel: bool,
    /// The component model's async.
    pub(crate) concurrency: bool,
    /// A collected heap, for exceptions, references to host values, and garbage-collected objects.
    pub(crate) references: bool,
}

impl Needs {
    /// All that a module with or without fuel may need, the plainest first.
    pub(crate) fn all(fuel: bool) -> impl Iterator<Item = Needs> {
        let bits = [(false, false), (true, false), (false, true), (true, true)];
        bits.into_iter()
            .map(move |(concurrency, references)| Needs {
                fuel,
                concurrency,
                references,
            })
    }

    /// A number below 8.
    pub(crate) fn index(self) -> usize {
        usize::from(self.fuel)
            + 2 * usize::from(self.concurrency)
            + 4 * usize::from(self.references)
    }
}

/// A module that can't be run, by its features.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeatureError {
    #[error("it is not valid WebAssembly: {0}")]
    Invalid(#[source] BinaryReaderError),
    #[error(
        "it uses exceptions in their old form, which is not supported; build it with the standard one \
         (clang: -mllvm -wasm-use-legacy-eh=false), or convert it (Binaryen: wasm-opt --translate-to-exnref)"
    )]
    OldExceptions,
    #[error("it needs threads, and a sandbox has one thread; build it without threads")]
    Threads,
    #[error(
        "it needs {0}, which this worker doesn't allow; an operator can allow it: wasm_features"
    )]
    NotAllowed(Feature),
}

/// A feature that is off by default, by its setting's name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Feature {
    Gc,
    Memory64,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::Gc => "garbage collection (`gc`)",
            Feature::Memory64 => "64-bit memories (`memory64`)",
        })
    }
}

/// For every module.
const PLAIN: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::COMPONENT_MODEL)
    .difference(REFERENCES)
    .difference(WasmFeatures::GC)
    .difference(WasmFeatures::MEMORY64)
    .difference(WasmFeatures::THREADS);
/// Exceptions and references to the host's values, which live in the collector's heap.
const REFERENCES: WasmFeatures = WasmFeatures::EXCEPTIONS.union(WasmFeatures::GC_TYPES);
const OPTIONAL: WasmFeatures = REFERENCES
    .union(WasmFeatures::GC)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::CM_ASYNC);

/// What `wasm` needs of its engine, besides fuel. Most modules need nothing, and are validated once.
pub(crate) fn needs(wasm: &[u8], allowed: Features) -> Result<Needs, FeatureError> {
    if valid(wasm, PLAIN).is_ok() {
        return Ok(Needs::default());
    }
    let all = PLAIN.union(OPTIONAL);
    if let Err(error) = valid(wasm, all) {
        if valid(wasm, all.union(WasmFeatures::LEGACY_EXCEPTIONS)).is_ok() {
            return Err(FeatureError::OldExceptions);
        }
        if valid(wasm, all.union(WasmFeatures::THREADS)).is_ok() {
            return Err(FeatureError::Threads);
        }
        return Err(FeatureError::Invalid(error));
    }
    let needed = |feature| valid(wasm, all.difference(feature)).is_err();
    if !allowed.gc && needed(WasmFeatures::GC) {
        return Err(FeatureError::NotAllowed(Feature::Gc));
    }
    if !allowed.memory64 && needed(WasmFeatures::MEMORY64) {
        return Err(FeatureError::NotAllowed(Feature::Memory64));
    }
    Ok(Needs {
        fuel: false,
        concurrency: needed(WasmFeatures::CM_ASYNC),
        references: needed(REFERENCES.union(WasmFeatures::GC)),
    })
}

fn valid(wasm: &[u8], features: WasmFeatures) -> Result<(), BinaryReaderError> {
    Validator::new_with_features(features)
        .validate_all(wasm)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, allowed: Features) -> Result<(bool, bool), String> {
        let needs = needs(&wat::parse_str(text).unwrap(), allowed);
        needs
            .map(|needs| (needs.concurrency, needs.references))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_module_gets_the_plainest_engine() {
        let none = Features::default();
        for (text, expected) in [
            ("(module (memory 1) (func))", (false, false)),
            ("(module (func (param externref)))", (false, true)),
            ("(module (tag $t) (func (throw $t)))", (false, true)),
            ("(component (type (func async)))", (true, false)),
            (
                "(component (type (func async)) (core module (tag $t) (func (throw $t))))",
                (true, true),
            ),
        ] {
            assert_eq!(found(text, none), Ok(expected), "{text}");
        }
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
        assert_eq!(found(component, Features::default()), Ok((true, false)));
    }

    #[test]
    fn what_an_operator_must_allow_is_named() {
        let gc = "(module (type (struct)))";
        let memory64 = "(module (memory i64 1))";
        let none = Features::default();
        let error = found(gc, none).unwrap_err();
        assert!(
            error.contains("(`gc`)") && error.contains("wasm_features"),
            "{error}"
        );
        assert!(found(memory64, none).unwrap_err().contains("(`memory64`)"));
        let mut allowed = none;
        assert!(Features::NAMES.iter().all(|name| allowed.allow(name)));
        assert!(!allowed.allow("threads"));
        assert_eq!(found(gc, allowed), Ok((false, true)));
        assert_eq!(found(memory64, allowed), Ok((false, false)));
    }

    #[test]
    fn what_is_not_supported_says_what_to_do() {
        let none = Features::default();
        let old = "(module (func try nop catch_all end))";
        assert!(
            found(old, none)
                .unwrap_err()
                .contains("translate-to-exnref")
        );
        let shared = "(module (memory 1 1 shared))";
        assert!(found(shared, none).unwrap_err().contains("threads"));
        let wrong = "(module (func (result i32)))";
        let error = found(wrong, none).unwrap_err();
        assert!(
            error.starts_with("it is not valid WebAssembly: type mismatch"),
            "{error}"
        );
    }
}
