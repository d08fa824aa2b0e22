//! Why bytes can't be made a component.
//!
//! Must not know how one is made.

use wasmparser::BinaryReaderError;

/// Bytes that can't be made a component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// They are something else.
    #[error("it is not WebAssembly; give a component or a core module in the binary format")]
    NotWebAssembly,
    /// They are damaged WebAssembly.
    #[error("it is damaged")]
    Damaged(#[from] BinaryReaderError),
    /// They are a core module that is not a program, and whose functions have no WIT types.
    #[error(
        "it is a core module without component type information and without `_start`{}; \
         build it as a component (wit-bindgen, componentize-py, jco), or as a WASI command",
        imports_from.as_ref().map_or_else(String::new, |module| format!(", which imports from `{module}`"))
    )]
    Untyped {
        /// A module that it imports from and that WASI doesn't have.
        imports_from: Option<String>,
    },
    /// They are a Go program without memory for WASI's adapter.
    #[error(
        "it is a Go program without room for WASI's adapter in its memory, which Go would \
         write over; build it with `chicory build`"
    )]
    NoRoom,
    /// They are a core module that doesn't fit its type information.
    #[error("it is a core module that can't be made a component")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}
