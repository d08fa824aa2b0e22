//! One core module, read into parts.
//!
//! Must not know the component around it.

use std::collections::HashMap;

use wasmparser::{
    CompositeInnerType, Data, Element, FuncType, FunctionBody, Global, ImportSectionReader,
    KnownCustom, MemoryType, Name, NameSectionReader, Parser, Payload, RecGroup, Table, TagType,
    TypeRef, ValType,
};

use crate::error::LinkError;
use crate::kind::{Kind, PerKind, index};

/// A core module that takes part in linking.
#[derive(Default)]
pub(crate) struct Library<'a> {
    pub(crate) types: Vec<FuncType>,
    pub(crate) imports: PerKind<Vec<Import<'a>>>,
    /// The types of its own functions.
    pub(crate) functions: Vec<u32>,
    pub(crate) tables: Vec<Table<'a>>,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) globals: Vec<Global<'a>>,
    pub(crate) tags: Vec<TagType>,
    pub(crate) exports: HashMap<&'a str, (Kind, u32)>,
    pub(crate) elements: Vec<Element<'a>>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    pub(crate) data: Vec<Data<'a>>,
    /// It runs code when it is instantiated.
    pub(crate) starts: bool,
    /// Its functions' names, by index.
    pub(crate) names: HashMap<u32, &'a str>,
}

/// What it imports from another module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Import<'a> {
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
    pub(crate) ty: TypeRef,
}

impl<'a> Library<'a> {
    /// Reads `wasm`, whose bytes are valid.
    pub(crate) fn read(wasm: &'a [u8]) -> Result<Library<'a>, LinkError> {
        let mut library = Library::default();
        for payload in Parser::new(0).parse_all(wasm) {
            library.take(payload?)?;
        }
        Ok(library)
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<(), LinkError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types.push(plain(&group?)?);
                }
            }
            Payload::ImportSection(section) => self.import(section)?,
            Payload::FunctionSection(section) => self.functions = all(section)?,
            Payload::TableSection(section) => self.tables = all(section)?,
            Payload::MemorySection(section) => self.memories = all(section)?,
            Payload::TagSection(section) => self.tags = all(section)?,
            Payload::GlobalSection(section) => self.globals = all(section)?,
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports
                        .insert(export.name, (export.kind.into(), export.index));
                }
            }
            Payload::StartSection { .. } => {
                self.starts = true;
            }
            Payload::ElementSection(section) => self.elements = all(section)?,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(section) => self.data = all(section)?,
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    self.names = function_names(names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, section: ImportSectionReader<'a>) -> Result<(), LinkError> {
        for import in section.into_imports() {
            let import = import?;
            self.imports[Kind::of(import.ty)].push(Import {
                module: import.module,
                name: import.name,
                ty: import.ty,
            });
        }
        Ok(())
    }

    /// How many of `kind` it imports. Its own come after them in the index space.
    pub(crate) fn imported(&self, kind: Kind) -> u32 {
        index(self.imports[kind].len())
    }

    /// How many of `kind` are its own.
    pub(crate) fn own(&self, kind: Kind) -> u32 {
        index(match kind {
            Kind::Function => self.functions.len(),
            Kind::Table => self.tables.len(),
            Kind::Memory => self.memories.len(),
            Kind::Global => self.globals.len(),
            Kind::Tag => self.tags.len(),
        })
    }

    /// The body of a function, unless it is imported.
    pub(crate) fn body(&self, function: u32) -> Option<&FunctionBody<'a>> {
        let own = function.checked_sub(self.imported(Kind::Function))?;
        self.bodies.get(own as usize)
    }

    /// A global, unless it is imported.
    pub(crate) fn global(&self, global: u32) -> Option<&Global<'a>> {
        let own = global.checked_sub(self.imported(Kind::Global))?;
        self.globals.get(own as usize)
    }
}

fn all<'a, T: wasmparser::FromReader<'a>>(
    section: wasmparser::SectionLimited<'a, T>,
) -> Result<Vec<T>, LinkError> {
    Ok(section.into_iter().collect::<Result<_, _>>()?)
}

/// The function type in a group of one.
fn plain(group: &RecGroup) -> Result<FuncType, LinkError> {
    let unusual = "one of its modules has types that refer to types";
    let mut types = group.types();
    let (Some(one), None) = (types.next(), types.next()) else {
        return LinkError::because(unusual);
    };
    let alone = one.is_final && one.supertype_idx.is_none() && !one.composite_type.shared;
    match &one.composite_type.inner {
        CompositeInnerType::Func(function) if alone && is_simple(function) => Ok(function.clone()),
        _ => LinkError::because(unusual),
    }
}

fn is_simple(function: &FuncType) -> bool {
    let mut values = function.params().iter().chain(function.results());
    values.all(|value| match value {
        ValType::Ref(reference) => reference.type_index().is_none(),
        _ => true,
    })
}

/// Names that can't be read are left out, because only backtraces use them.
fn function_names(sections: NameSectionReader<'_>) -> HashMap<u32, &str> {
    let mut names = HashMap::new();
    for section in sections {
        if let Ok(Name::Function(functions)) = section {
            names.extend(
                functions
                    .into_iter()
                    .flatten()
                    .map(|naming| (naming.index, naming.name)),
            );
        }
    }
    names
}
