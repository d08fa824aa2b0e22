//! Limits on what a module may contain, checked in one cheap pass over its sections before anything is
//! compiled.
//!
//! A compiler's work can grow much faster than its input. No honest module comes near these limits. One that
//! passes and still costs too much is stopped by the compiler's own limits. Must not know the engine.

use wasmparser::{Parser, Payload};

use crate::section::DamagedModule;

/// Functions with a body, in all its modules together. `CPython` and `SpiderMonkey` have 13,000.
const FUNCTIONS: u64 = 200_000;
/// Bytes of one function's body. The largest of `CPython` has 430,000, of `SpiderMonkey` 170,000.
const FUNCTION_BYTES: u64 = 1 << 20;
/// Components and modules in each other, the outermost included.
const NESTING: u64 = 10;
/// Components and modules.
const MODULES: u64 = 500;
/// Types and their definitions, in all sections together.
const TYPES: u64 = 100_000;
/// Imports, exports, instances and aliases, in all sections together.
const ITEMS: u64 = 500_000;

/// Why a module isn't compiled.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It can't be read.
    Damaged(DamagedModule),
    /// It has more of something than a module may have.
    Excess {
        /// Of what, in the plural.
        what: &'static str,
        /// How many, at least.
        found: u64,
        /// How many are allowed.
        allowed: u64,
    },
}

/// Checks `wasm`, a component or a core module.
pub(crate) fn check(wasm: &[u8]) -> Result<(), Unfit> {
    if !Parser::is_component(wasm) && !Parser::is_core_wasm(wasm) {
        // Wrapping it reports what it should be.
        return Ok(());
    }
    let mut counts = Counts::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| Unfit::Damaged(DamagedModule(error)))?;
        counts.add(&payload)?;
    }
    Ok(())
}

/// What was found so far.
#[derive(Debug, Default)]
struct Counts {
    functions: u64,
    depth: u64,
    modules: u64,
    types: u64,
    items: u64,
}

impl Counts {
    fn add(&mut self, payload: &Payload<'_>) -> Result<(), Unfit> {
        let items = match payload {
            Payload::Version { .. } => {
                self.depth += 1;
                limited("levels of nesting", self.depth, NESTING)?;
                return grow(&mut self.modules, 1, "components and modules", MODULES);
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                return Ok(());
            }
            Payload::CodeSectionStart { count, .. } => {
                return grow(&mut self.functions, *count, "functions", FUNCTIONS);
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = u64::try_from(body.range().len()).unwrap_or(u64::MAX);
                return limited("bytes in one function", bytes, FUNCTION_BYTES);
            }
            Payload::TypeSection(types) => return self.types(types.count()),
            Payload::CoreTypeSection(types) => return self.types(types.count()),
            Payload::ComponentTypeSection(types) => return self.types(types.count()),
            Payload::ImportSection(items) => items.count(),
            Payload::ExportSection(items) => items.count(),
            Payload::InstanceSection(items) => items.count(),
            Payload::ComponentInstanceSection(items) => items.count(),
            Payload::ComponentAliasSection(items) => items.count(),
            Payload::ComponentImportSection(items) => items.count(),
            Payload::ComponentExportSection(items) => items.count(),
            Payload::ComponentCanonicalSection(items) => items.count(),
            _ => return Ok(()),
        };
        grow(
            &mut self.items,
            items,
            "imports, exports, instances and aliases",
            ITEMS,
        )
    }

    fn types(&mut self, more: u32) -> Result<(), Unfit> {
        grow(&mut self.types, more, "types", TYPES)
    }
}

fn grow(count: &mut u64, more: u32, what: &'static str, allowed: u64) -> Result<(), Unfit> {
    *count += u64::from(more);
    limited(what, *count, allowed)
}

fn limited(what: &'static str, found: u64, allowed: u64) -> Result<(), Unfit> {
    if found <= allowed {
        return Ok(());
    }
    Err(Unfit::Excess {
        what,
        found,
        allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `what` a module in the text format has too many of, and how many are allowed.
    fn excess(text: &str) -> (&'static str, u64) {
        match check(&wat::parse_str(text).unwrap()) {
            Err(Unfit::Excess {
                what,
                found,
                allowed,
            }) => {
                assert!(found > allowed);
                (what, allowed)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_module_may_be_nested_up_to_the_limit() {
        let nested = |levels: usize| {
            let inner = "(component".repeat(levels - 1) + &")".repeat(levels - 1);
            format!("(component {inner})")
        };
        let fine = wat::parse_str(nested(10)).unwrap();
        assert!(check(&fine).is_ok());
        assert_eq!(excess(&nested(11)), ("levels of nesting", NESTING));
        // Modules side by side are not nested.
        let side_by_side = format!("(component {})", "(core module)".repeat(100));
        assert!(check(&wat::parse_str(side_by_side).unwrap()).is_ok());
    }

    #[test]
    fn what_there_is_too_much_of_is_named() {
        let module = |what: &str, count: u64| {
            let count = usize::try_from(count).unwrap();
            format!("(module {})", what.repeat(count))
        };
        let many = format!("(component {})", "(core module)".repeat(500));
        assert_eq!(excess(&many), ("components and modules", MODULES));
        assert_eq!(
            excess(&module("(func)", FUNCTIONS + 1)),
            ("functions", FUNCTIONS)
        );
        let body = "nop ".repeat(1 << 20);
        assert_eq!(
            excess(&format!("(module (func {body}))")),
            ("bytes in one function", FUNCTION_BYTES)
        );
        assert_eq!(
            excess(&module("(type (func))", TYPES + 1)),
            ("types", TYPES)
        );
    }

    #[test]
    fn functions_are_counted_over_all_modules() {
        let half = format!("(core module {})", "(func)".repeat(100_001));
        assert_eq!(
            excess(&format!("(component {half} {half})")),
            ("functions", FUNCTIONS)
        );
    }

    #[test]
    fn a_damaged_one_says_so() {
        let mut wasm = wat::parse_str("(module (func))").unwrap();
        wasm.truncate(wasm.len() - 1);
        assert!(matches!(check(&wasm), Err(Unfit::Damaged(_))));
    }
}
