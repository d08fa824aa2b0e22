//! Reserves memory for the WASI adapter in a Go program.
//!
//! Go uses all memory that is added for its heap, so the adapter can't grow the memory: Go would overwrite
//! its data. `chicory build` adds an array for the adapter to a program, and a mark that says where it is;
//! the function added here allocates from it. Must not know what the adapter keeps there.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, ImportSection, MemArg,
    Module, TypeSection, ValType,
};
use wasmparser::{
    CodeSectionReader, ExportSectionReader, FunctionSectionReader, ImportSectionReader, Parser,
    Payload, ProducersFieldValue, ProducersSectionReader, TypeRef, TypeSectionReader,
};

use super::error::ComponentError;

/// The name by which the adapter's encoder finds the function.
const ALLOCATE: &str = "cabi_realloc_adapter";
/// Precedes the array's address in the program's data. The same as in `chicory build`.
const MARK: &[u8] = b"chicory: room for WASI's adapter";
/// The array's length: one page each for the adapter's state and its stack, and a few bytes for bookkeeping
/// and alignment.
const SIZE: u32 = (2 << 16) + 64;

/// The module with a function that allocates from the array, if it was made by Go.
pub(super) fn make(wasm: &[u8]) -> Result<Option<Vec<u8>>, ComponentError> {
    if !is_go(wasm) {
        return Ok(None);
    }
    let Some(begin) = reserved(wasm)? else {
        return Err(ComponentError::NoRoom);
    };
    let mut module = Module::new();
    let mut room = Room {
        begin: begin.cast_signed(),
        end: begin.saturating_add(SIZE).cast_signed(),
        ..Room::default()
    };
    room.parse_core_module(&mut module, Parser::new(0), wasm)
        .map_err(|error| ComponentError::Encode(error.into()))?;
    Ok(Some(module.finish()))
}

/// The address of the program's array for the adapter.
fn reserved(wasm: &[u8]) -> Result<Option<u32>, wasmparser::BinaryReaderError> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::DataSection(section) = payload? else {
            continue;
        };
        for segment in section {
            let data = segment?.data;
            let found = data.windows(MARK.len()).position(|bytes| bytes == MARK);
            if let Some(at) = found {
                let mut address = [0; 4];
                // A segment may end early if only zeros are left.
                let bytes = data[at + MARK.len()..].iter().take(address.len());
                for (byte, found) in address.iter_mut().zip(bytes) {
                    *byte = *found;
                }
                return Ok(Some(u32::from_le_bytes(address)));
            }
        }
    }
    Ok(None)
}

/// Go's compiler names itself in the section `producers`.
fn is_go(wasm: &[u8]) -> bool {
    let sections = Parser::new(0).parse_all(wasm).filter_map(Result::ok);
    sections.into_iter().any(|payload| match payload {
        Payload::CustomSection(section) if section.name() == "producers" => {
            let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
            tools(reader).any(|tool| tool.name == "Go cmd/compile")
        }
        _ => false,
    })
}

fn tools(reader: wasmparser::BinaryReader<'_>) -> impl Iterator<Item = ProducersFieldValue<'_>> {
    let fields = ProducersSectionReader::new(reader).into_iter().flatten();
    fields
        .filter_map(Result::ok)
        .filter(|field| field.name == "processed-by")
        .flat_map(|field| field.values.into_iter().filter_map(Result::ok))
}

/// Adds the function while a module is copied.
#[derive(Default)]
struct Room {
    /// Where the array begins and ends: addresses, as the bits of an i32.
    begin: i32,
    end: i32,
    /// The type and the index of the function that allocates from it.
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

impl Room {
    /// `(old, old size, alignment, size) -> place`: returns the next free piece; nothing is ever freed. The
    /// first bytes of the array hold how much of it is taken.
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
        (memory (export "memory") 4)
        (func (export "_start"))
        (data (i32.const 8192) "xyz chicory: room for WASI's adapter\00\30\01")
        (@producers (processed-by "Go cmd/compile" "go1.27")))"#;

    #[test]
    fn a_go_programs_room_is_found_and_handed_out() {
        let wasm = wat::parse_str(GO).unwrap();
        assert_eq!(reserved(&wasm).unwrap(), Some(0x0001_3000));
        let roomy = make(&wasm).unwrap().unwrap();
        wasmparser::validate(&roomy).unwrap();
        let exports = Parser::new(0)
            .parse_all(&roomy)
            .find_map(|payload| match payload {
                Ok(Payload::ExportSection(section)) => section.into_iter().last(),
                _ => None,
            });
        let last = exports.unwrap().unwrap();
        // After the imported function and the program's own.
        assert_eq!((last.name, last.index), (ALLOCATE, 2));
    }

    #[test]
    fn a_go_program_without_room_says_what_to_do() {
        let bare = wat::parse_str(GO.replace("chicory:", "nothing:")).unwrap();
        assert!(matches!(make(&bare), Err(ComponentError::NoRoom)));
    }

    #[test]
    fn other_programs_stay_as_they_are() {
        let rust = GO.replace("Go cmd/compile", "rustc");
        assert_eq!(make(&wat::parse_str(rust).unwrap()).unwrap(), None);
    }
}
