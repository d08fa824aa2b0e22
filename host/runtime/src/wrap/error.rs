//! Why bytes can't be run as a module.
//!
//! Must not know how a component is made.

use wasmparser::BinaryReaderError;

/// Bytes that are neither a component nor a program, and can't be made a component.
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
    /// They are an adapter.
    #[error(
        "it is an adapter (it imports `{import}`), which a tool such as `wasm-tools component new` builds \
         into a component; give the component"
    )]
    Adapter {
        /// What it imports of the module that it is for.
        import: String,
    },
    /// They are a core module that doesn't fit its type information.
    #[error("it is a core module that can't be made a component")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The same, in a way that the encoder doesn't expect.
    #[error(
        "it is a core module that can't be made a component: its code doesn't fit its type information"
    )]
    Mistyped,
}
