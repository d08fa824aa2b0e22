//! Room in a Go program's memory for the WASI adapter, which needs some of its own.
//!
//! Go's heap is everything from the end of the memory that it starts with: what the adapter grows the
//! memory by while Go runs, Go takes for its own, and writes over it. So the memory begins larger, and
//! Go's heap after the room, which an added function hands out. Must not know what the adapter keeps there.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, ImportSection, MemArg,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasmparser::{
    CodeSectionReader, ExportSectionReader, FunctionSectionReader, ImportSectionReader,
    MemorySectionReader, Parser, Payload, ProducersFieldValue, ProducersSectionReader, TypeRef,
    TypeSectionReader,
};

/// The name by which the adapter's encoder finds the function.
const ALLOCATE: &str = "cabi_realloc_adapter";
/// The adapter's state and its stack take a page each; one more for where the next piece begins.
const PAGES: u64 = 3;
const PAGE: u64 = 1 << 16;

/// The module with room in it, if it was made by Go.
pub(super) fn make(wasm: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if !is_go(wasm) {
        return Ok(None);
    }
    let mut module = Module::new();
    let mut room = Room::default();
    room.parse_core_module(&mut module, Parser::new(0), wasm)
        .map_err(|error| format!("it is damaged: {error}"))?;
    Ok(Some(module.finish()))
}

/// Go says so in the section `producers`.
fn is_go(wasm: &[u8]) -> bool {
    let sections = Parser::new(0).parse_all(wasm).filter_map(Result::ok);
    sections.into_iter().any(|payload| match payload {
        Payload::CustomSection(section) if section.name() == "producers" => {
            let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
            languages(reader).any(|language| language.name == "Go")
        }
        _ => false,
    })
}

fn languages(
    reader: wasmparser::BinaryReader<'_>,
) -> impl Iterator<Item = ProducersFieldValue<'_>> {
    let fields = ProducersSectionReader::new(reader).into_iter().flatten();
    fields
        .filter_map(Result::ok)
        .filter(|field| field.name == "language")
        .flat_map(|field| field.values.into_iter().filter_map(Result::ok))
}

/// Adds the room while a module is copied.
#[derive(Default)]
struct Room {
    /// Where it begins and ends: addresses, which are i32 by their bits.
    begin: i32,
    end: i32,
    /// The type and the index of the function that hands it out.
    kind: u32,
    imported: u32,
    function: u32,
}

impl Reencode for Room {
    type Error = Infallible;

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_type_section(self, types, section)?;
        self.kind = types.len();
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        for import in section.clone().into_imports() {
            self.imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
        }
        utils::parse_import_section(self, imports, section)
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_function_section(self, functions, section)?;
        self.function = self.imported + functions.len();
        functions.function(self.kind);
        Ok(())
    }

    fn parse_memory_section(
        &mut self,
        memories: &mut MemorySection,
        section: MemorySectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        for memory in section {
            let memory = self.memory_type(memory?)?;
            let minimum = memory.minimum + PAGES;
            (self.begin, self.end) = (address(memory.minimum), address(minimum));
            memories.memory(MemoryType { minimum, ..memory });
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(ALLOCATE, ExportKind::Func, self.function);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.allocate());
        Ok(())
    }
}

/// Where a page begins; those of Go's memory are few at its start.
fn address(page: u64) -> i32 {
    u32::try_from(page * PAGE).unwrap_or(u32::MAX).cast_signed()
}

impl Room {
    /// `(old, old size, alignment, size) -> place`: the next piece that is free, never one back. The first
    /// bytes of the room say how much of it is taken.
    fn allocate(&self) -> Function {
        const ALIGNMENT: u32 = 2;
        const SIZE: u32 = 3;
        const PLACE: u32 = 4;
        let taken = MemArg {
            offset: 0,
            align: 2,
            memory_index: 0,
        };
        let (begin, end) = (self.begin, self.end);
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        // place = (begin + 8 + taken + alignment - 1) & -alignment
        code.i32_const(begin).i32_load(taken);
        code.i32_const(begin).i32_const(8).i32_add().i32_add();
        code.local_get(ALIGNMENT).i32_add().i32_const(1).i32_sub();
        code.i32_const(0).local_get(ALIGNMENT).i32_sub().i32_and();
        code.local_set(PLACE);
        // No more than there is: place + size <= end.
        code.local_get(PLACE).local_get(SIZE).i32_add();
        code.i32_const(end).i32_gt_u();
        code.if_(wasm_encoder::BlockType::Empty).unreachable().end();
        // taken = place + size - (begin + 8)
        code.i32_const(begin);
        code.local_get(PLACE).local_get(SIZE).i32_add();
        code.i32_const(begin).i32_sub().i32_const(8).i32_sub();
        code.i32_store(taken);
        code.local_get(PLACE).end();
        function
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: &str = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 2)
        (func (export "_start"))
        (@producers (language "Go" "go1.27")))"#;

    #[test]
    fn a_go_program_gets_room_at_the_end_of_its_memory() {
        let roomy = make(&wat::parse_str(GO).unwrap()).unwrap().unwrap();
        wasmparser::validate(&roomy).unwrap();
        let mut found = (0, String::new(), 0);
        for payload in Parser::new(0).parse_all(&roomy) {
            match payload.unwrap() {
                Payload::MemorySection(section) => {
                    found.0 = section.into_iter().next().unwrap().unwrap().initial;
                }
                Payload::ExportSection(section) => {
                    let last = section.into_iter().last().unwrap().unwrap();
                    (found.1, found.2) = (last.name.to_owned(), last.index);
                }
                _ => {}
            }
        }
        // Behind the imported function and the program's own.
        assert_eq!(found, (2 + PAGES, ALLOCATE.to_owned(), 2));
    }

    #[test]
    fn other_programs_stay_as_they_are() {
        let rust = GO.replace("Go", "Rust");
        assert_eq!(make(&wat::parse_str(rust).unwrap()), Ok(None));
    }
}
