//! The five kinds of items that a core module defines, imports and exports.
//!
//! Must not know modules.

use std::ops::{Index, IndexMut};

use wasm_encoder::ExportKind;
use wasmparser::{ExternalKind, TypeRef};

/// A kind of item, with an index space of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Function,
    Table,
    Memory,
    Global,
    Tag,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] = [
        Kind::Function,
        Kind::Table,
        Kind::Memory,
        Kind::Global,
        Kind::Tag,
    ];

    /// The kind of an import of this type.
    pub(crate) fn of(ty: TypeRef) -> Kind {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => Kind::Function,
            TypeRef::Table(_) => Kind::Table,
            TypeRef::Memory(_) => Kind::Memory,
            TypeRef::Global(_) => Kind::Global,
            TypeRef::Tag(_) => Kind::Tag,
        }
    }
}

impl From<ExternalKind> for Kind {
    fn from(kind: ExternalKind) -> Kind {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Kind::Function,
            ExternalKind::Table => Kind::Table,
            ExternalKind::Memory => Kind::Memory,
            ExternalKind::Global => Kind::Global,
            ExternalKind::Tag => Kind::Tag,
        }
    }
}

impl From<Kind> for ExportKind {
    fn from(kind: Kind) -> ExportKind {
        match kind {
            Kind::Function => ExportKind::Func,
            Kind::Table => ExportKind::Table,
            Kind::Memory => ExportKind::Memory,
            Kind::Global => ExportKind::Global,
            Kind::Tag => ExportKind::Tag,
        }
    }
}

/// One value for each kind.
#[derive(Debug, Default)]
pub(crate) struct PerKind<T>([T; 5]);

impl<T> Index<Kind> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: Kind) -> &T {
        &self.0[kind as usize]
    }
}

impl<T> IndexMut<Kind> for PerKind<T> {
    fn index_mut(&mut self, kind: Kind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

/// A position in an index space, or its length.
pub(crate) fn index(count: usize) -> u32 {
    u32::try_from(count).expect("a module that was read has fewer than 2^32 of anything")
}
