//! The bytes of the linked module: the parts of each member, renumbered as in the layout.
//!
//! Must not know the component around it.

use std::collections::BTreeMap;

use wasm_encoder::reencode::{Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType,
    ExportSection, FunctionSection, GlobalSection, ImportSection, Instruction, MemorySection,
    Module, NameMap, NameSection, TableSection, TagSection, TypeSection,
};
use wasmparser::Operator;

use crate::constant::evaluate;
use crate::error::{LinkError, ReencodeError};
use crate::group::{Group, Local};
use crate::kind::Kind;
use crate::layout::Layout;
use crate::used::Used;

/// The name of the only module that the linked one imports from.
pub(crate) const HOST: &str = "host";

/// A module that does what its members did together.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) bytes: Vec<u8>,
    /// The canonical functions that it imports from [`HOST`], named by their position here.
    pub(crate) imports: Vec<u32>,
    /// The names of its exports that the rest of the component uses.
    pub(crate) exports: BTreeMap<Local, String>,
}

/// Writes the linked module.
pub(crate) fn encode(
    group: &Group<'_>,
    used: &Used,
    layout: &Layout,
) -> Result<Linked, ReencodeError> {
    let mut parts = Parts::default();
    parts.begin(layout)?;
    for member in 0..group.members.len() {
        let mut renumber = Renumber {
            group,
            layout,
            member,
        };
        parts.add(&mut renumber, used)?;
    }
    let mut exports = BTreeMap::new();
    for (number, local) in used.exposed.iter().enumerate() {
        let name = number.to_string();
        let place = layout
            .place(group, *local)
            .map_err(ReencodeError::UserError)?;
        parts.exports.export(&name, local.kind.into(), place);
        exports.insert(*local, name);
    }
    Ok(Linked {
        bytes: parts.finish(),
        imports: layout
            .imports
            .iter()
            .map(|(function, _)| *function)
            .collect(),
        exports,
    })
}

/// The sections of the linked module.
#[derive(Default)]
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    tags: TagSection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    names: NameMap,
}

impl Parts {
    /// Types and imports, which belong to no member.
    fn begin(&mut self, layout: &Layout) -> Result<(), ReencodeError> {
        for ty in &layout.types {
            let ty = wasm_encoder::reencode::RoundtripReencoder
                .func_type(ty.clone())
                .map_err(|_| ReencodeError::InvalidConstExpr)?;
            self.types.ty().func_type(&ty);
        }
        for (number, (_, ty)) in layout.imports.iter().enumerate() {
            self.imports
                .import(HOST, &number.to_string(), EntityType::Function(*ty));
        }
        Ok(())
    }

    fn add(&mut self, renumber: &mut Renumber<'_, '_>, used: &Used) -> Result<(), ReencodeError> {
        let library = &renumber.group.members[renumber.member].library;
        let first = library.imported(Kind::Function);
        for ((own, ty), body) in (first..).zip(&library.functions).zip(&library.bodies) {
            let local = renumber.here(Kind::Function, own);
            if used.functions.contains(&local) {
                self.functions.function(renumber.type_index(*ty)?);
                renumber.parse_function_body(&mut self.code, body.clone())?;
                if let Some(name) = library.names.get(&own) {
                    self.names.append(renumber.function_index(own)?, name);
                }
            }
        }
        for table in &library.tables {
            renumber.parse_table(&mut self.tables, table.clone())?;
        }
        for memory in &library.memories {
            self.memories.memory(renumber.memory_type(*memory)?);
        }
        for tag in &library.tags {
            self.tags.tag(renumber.tag_type(*tag)?);
        }
        for (own, global) in (library.imported(Kind::Global)..).zip(&library.globals) {
            let local = renumber.here(Kind::Global, own);
            if renumber.layout.stays(used, local) {
                renumber.parse_global(&mut self.globals, global.clone())?;
            }
        }
        for element in &library.elements {
            renumber.parse_element(&mut self.elements, element.clone())?;
        }
        for data in &library.data {
            renumber.parse_data(&mut self.data, data.clone())?;
        }
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        let mut names = NameSection::new();
        names.functions(&self.names);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories);
        if !self.tags.is_empty() {
            module.section(&self.tags);
        }
        module
            .section(&self.globals)
            .section(&self.exports)
            .section(&self.elements)
            .section(&DataCountSection {
                count: self.data.len(),
            })
            .section(&self.code)
            .section(&self.data);
        if !self.names.is_empty() {
            module.section(&names);
        }
        module.finish()
    }
}

/// Replaces a member's numbers by the layout's.
struct Renumber<'g, 'a> {
    group: &'g Group<'a>,
    layout: &'g Layout,
    member: usize,
}

impl Renumber<'_, '_> {
    fn here(&self, kind: Kind, index: u32) -> Local {
        Local {
            member: self.member,
            kind,
            index,
        }
    }

    fn place(&self, kind: Kind, index: u32) -> Result<u32, ReencodeError> {
        let place = self.layout.place(self.group, self.here(kind, index));
        place.map_err(ReencodeError::UserError)
    }
}

impl Reencode for Renumber<'_, '_> {
    type Error = LinkError;

    fn function_index(&mut self, function: u32) -> Result<u32, ReencodeError> {
        self.place(Kind::Function, function)
    }

    fn table_index(&mut self, table: u32) -> Result<u32, ReencodeError> {
        self.place(Kind::Table, table)
    }

    fn memory_index(&mut self, memory: u32) -> Result<u32, ReencodeError> {
        self.place(Kind::Memory, memory)
    }

    fn global_index(&mut self, global: u32) -> Result<u32, ReencodeError> {
        self.place(Kind::Global, global)
    }

    fn tag_index(&mut self, tag: u32) -> Result<u32, ReencodeError> {
        self.place(Kind::Tag, tag)
    }

    fn type_index(&mut self, ty: u32) -> Result<u32, ReencodeError> {
        let places = &self.layout.type_places[self.member];
        let place = places.get(ty as usize).copied();
        place.ok_or_else(|| {
            ReencodeError::UserError(LinkError::Unsupported(format!("there is no type {ty}")))
        })
    }

    fn element_index(&mut self, element: u32) -> Result<u32, ReencodeError> {
        Ok(self.layout.elements[self.member] + element)
    }

    fn data_index(&mut self, data: u32) -> Result<u32, ReencodeError> {
        Ok(self.layout.data[self.member] + data)
    }

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> Result<Instruction<'a>, ReencodeError> {
        if let Operator::GlobalGet { global_index } = operator
            && let Some(value) = self.layout.constants.get(self.member, global_index)
        {
            return Ok(value.instruction());
        }
        utils::instruction(self, operator)
    }

    /// A single constant if the value is known. Only then does the compiler make an image of a memory or a
    /// table, instead of code that fills it each time.
    fn const_expr(
        &mut self,
        expression: wasmparser::ConstExpr<'_>,
    ) -> Result<ConstExpr, ReencodeError> {
        let known = |global| self.layout.constants.get(self.member, global);
        match evaluate(&expression, known) {
            Some(value) => Ok(ConstExpr::extended([value.instruction()])),
            None => utils::const_expr(self, expression),
        }
    }
}
