//! How large the types of a component's functions are when they are written out, before anything is compiled.
//!
//! The types of a component are a graph: a few lines can stand for more than any memory has. Each type of the graph is
//! measured once, so this takes as long as reading the component. Must not know the engine; the limits are those of
//! [`chicory_signature`].

use std::collections::HashMap;

use chicory_signature::{TypeBudget, TypeLimitError, TypeSize, check_members};
use wasmparser::component_types::{
    ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType, ComponentFuncTypeId,
    ComponentValType,
};
use wasmparser::types::TypesRef;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::discover::TypesTooLarge;

/// Imports of a component, exported functions, or functions of one exported interface.
const NAMES: usize = 10_000;
/// Bytes of the name of an import or an export.
const NAME_BYTES: usize = 1_024;

/// Why a component isn't compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Oversized {
    /// The types of a function are too large.
    #[error(transparent)]
    Types(#[from] TypesTooLarge),
    /// It has too many imports or exports.
    #[error("it has more than {NAMES} {0}, the most that are allowed")]
    Names(&'static str),
    /// The name of an import or an export is too long.
    #[error("the name of one of its {0} has {1} bytes, and up to {NAME_BYTES} are allowed")]
    LongName(&'static str, usize),
}

/// Checks the imports and exports of a component. One that is not valid is left to the compiler, which says why.
pub(crate) fn check(component: &[u8]) -> Result<(), Oversized> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut names = Names::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { return Ok(()) };
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) if depth == 1 => {
                let Some(types) = validator.types(0) else {
                    return Ok(());
                };
                return names.check(types);
            }
            Payload::End(_) => depth -= 1,
            _ if depth == 1 => names.add(&payload)?,
            _ => {}
        }
        // Bodies of functions are handed out to be validated, and left alone here: they are what takes time.
        if validator.payload(&payload).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The names of a component's exports.
#[derive(Default)]
struct Names<'a> {
    exports: Vec<&'a str>,
    imports: usize,
}

impl<'a> Names<'a> {
    fn add(&mut self, payload: &Payload<'a>) -> Result<(), Oversized> {
        match payload {
            Payload::ComponentExportSection(section) => {
                for export in section.clone().into_iter().flatten() {
                    let name = export.name.name;
                    check_name("exports", name)?;
                    self.exports.push(name);
                }
                check_count("exports", self.exports.len())
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone().into_iter().flatten() {
                    check_name("imports", import.name.name)?;
                    self.imports += 1;
                }
                check_count("imports", self.imports)
            }
            _ => Ok(()),
        }
    }

    /// Measures the types of all exported functions.
    fn check(&self, types: TypesRef<'_>) -> Result<(), Oversized> {
        let mut graph = Graph {
            types,
            known: HashMap::new(),
        };
        let mut budget = TypeBudget::default();
        for name in &self.exports {
            let Some(item) = types.component_item_for_export(name) else {
                continue;
            };
            match item.ty {
                ComponentEntityType::Func(func) => graph.check(name, func, &mut budget)?,
                ComponentEntityType::Instance(instance) => {
                    let exports = &types[instance].exports;
                    check_count("functions in an interface", exports.len())?;
                    for (name, item) in exports {
                        check_name("exports", name)?;
                        if let ComponentEntityType::Func(func) = item.ty {
                            graph.check(name, func, &mut budget)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn check_count(what: &'static str, found: usize) -> Result<(), Oversized> {
    (found <= NAMES).then_some(()).ok_or(Oversized::Names(what))
}

fn check_name(what: &'static str, name: &str) -> Result<(), Oversized> {
    let fits = name.len() <= NAME_BYTES;
    fits.then_some(())
        .ok_or(Oversized::LongName(what, name.len()))
}

/// What is in a type.
enum Inside {
    Size(TypeSize),
    /// Something that makes the function no task, so that its types are never written out.
    NoTask,
}

/// The types of a component, each measured once.
struct Graph<'a> {
    types: TypesRef<'a>,
    known: HashMap<ComponentDefinedTypeId, Option<TypeSize>>,
}

impl Graph<'_> {
    fn check(
        &mut self,
        name: &str,
        func: ComponentFuncTypeId,
        budget: &mut TypeBudget,
    ) -> Result<(), TypesTooLarge> {
        // Functions of resources are not tasks.
        if name.contains('[') {
            return Ok(());
        }
        let measured = self.function(func, budget);
        measured.map_err(|limit| TypesTooLarge::of(name, limit))
    }

    fn function(
        &mut self,
        func: ComponentFuncTypeId,
        budget: &mut TypeBudget,
    ) -> Result<(), TypeLimitError> {
        let types = self.types;
        let func = &types[func];
        let mut sizes = Vec::new();
        let values = func.params.iter().map(|(_, ty)| ty).chain(&func.result);
        for ty in values {
            match self.value(*ty)? {
                Inside::Size(size) => sizes.push(size),
                Inside::NoTask => return Ok(()),
            }
        }
        budget.task(func.params.len())?;
        for (name, _) in &func.params {
            budget.name(name)?;
        }
        sizes.into_iter().try_for_each(|size| budget.add(size))
    }

    fn value(&mut self, ty: ComponentValType) -> Result<Inside, TypeLimitError> {
        let id = match ty {
            ComponentValType::Primitive(_) => return Ok(Inside::Size(TypeSize::one())),
            ComponentValType::Type(id) => id,
        };
        let size = match self.known.get(&id) {
            Some(known) => *known,
            None => {
                let size = self.defined(id)?;
                self.known.insert(id, size);
                size
            }
        };
        Ok(size.map_or(Inside::NoTask, Inside::Size))
    }

    /// None where no task has such a type. The validator limits how deeply types are nested.
    fn defined(&mut self, id: ComponentDefinedTypeId) -> Result<Option<TypeSize>, TypeLimitError> {
        let mut size = TypeSize::one();
        let types = self.types;
        let inside: Vec<ComponentValType> = match &types[id] {
            ComponentDefinedType::Primitive(_) => Vec::new(),
            ComponentDefinedType::List { element, .. }
            | ComponentDefinedType::FixedLengthList { element, .. } => vec![*element],
            ComponentDefinedType::Option { ty, .. } => vec![*ty],
            ComponentDefinedType::Result { ok, err, .. } => ok.iter().chain(err).copied().collect(),
            ComponentDefinedType::Tuple(tuple) => {
                check_members("items", tuple.types.len())?;
                tuple.types.to_vec()
            }
            ComponentDefinedType::Record(record) => {
                size = labels("fields", record.fields.keys(), size)?;
                record.fields.values().copied().collect()
            }
            ComponentDefinedType::Variant(variant) => {
                size = labels("cases", variant.cases.keys(), size)?;
                variant.cases.values().filter_map(|case| case.ty).collect()
            }
            ComponentDefinedType::Enum(names) | ComponentDefinedType::Flags(names) => {
                size = labels("cases", names.iter(), size)?;
                Vec::new()
            }
            ComponentDefinedType::Map { .. }
            | ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_)
            | ComponentDefinedType::Future { .. }
            | ComponentDefinedType::Stream { .. } => return Ok(None),
        };
        for ty in inside {
            match self.value(ty)? {
                Inside::Size(inner) => size = size.around(inner),
                Inside::NoTask => return Ok(None),
            }
        }
        Ok(Some(size))
    }
}

fn labels<'n>(
    what: &'static str,
    mut names: impl ExactSizeIterator<Item = &'n wasmparser::names::KebabString>,
    size: TypeSize,
) -> Result<TypeSize, TypeLimitError> {
    check_members(what, names.len())?;
    names.try_fold(size, |size, name| size.named(name))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A component whose function takes a record of one field, doubled so many times.
    fn doubled(levels: usize, field: &str) -> Vec<u8> {
        let mut types =
            format!(r#"(type $r (record (field "{field}" u8))) (export $t0 "r" (type $r))"#);
        for level in 1..=levels {
            let inner = level - 1;
            let _ = write!(types, "(type $t{level} (tuple $t{inner} $t{inner}))");
        }
        let text = format!(
            r#"(component {types}
                (core module $m (memory (export "mem") 1)
                  (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                  (func (export "f") (param i32)))
                (core instance $i (instantiate $m))
                (func (export "f") (param "x" $t{levels})
                  (canon lift (core func $i "f") (memory (core memory $i "mem")) (realloc (core func $i "realloc")))))"#
        );
        wat::parse_str(text).unwrap()
    }

    /// Case M2: a type that is small as a graph, and huge when it is written out.
    #[test]
    fn types_are_measured_as_a_graph() {
        assert!(check(&doubled(5, "a")).is_ok());
        let refused = |levels, field: &str| {
            let error = check(&doubled(levels, field)).unwrap_err();
            chicory_signature::with_causes(&error)
        };
        let text = refused(15, "a");
        assert!(text.contains("`f`") && text.contains("10000"), "{text}");
        let text = refused(5, &"a".repeat(60_000));
        assert!(text.contains("60000") && text.len() < 400, "{text}");
        // Together with other names, names may be too long as well.
        let text = refused(11, &"a".repeat(100));
        assert!(text.contains("bytes of names"), "{text}");
    }

    #[test]
    fn a_type_that_no_task_has_may_be_of_any_size() {
        let text = r#"(component
            (import "r" (type $r (sub resource)))
            (type $e (enum "a" "b"))
            (export $x "e" (type $e))
            (type $own (own $r))
            (import "f" (func $f (param "x" $own)))
            (export "g" (func $f)))"#;
        assert!(check(&wat::parse_str(text).unwrap()).is_ok());
    }

    #[test]
    fn names_of_imports_are_limited() {
        let text = format!(
            r#"(component (import "{}" (func)))"#,
            "a".repeat(NAME_BYTES + 1)
        );
        let error = check(&wat::parse_str(text).unwrap()).unwrap_err();
        assert!(error.to_string().contains("imports"), "{error}");
    }
}
