//! Why a component is left as it is.
//!
//! Must not know how modules are linked.

/// What stands in the way of linking. It is never a fault of the component, which runs as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It is not a valid component.
    #[error("it can't be read")]
    Unreadable(#[from] wasmparser::Error),
    /// It has something that linking doesn't support: what, as a sentence without its full stop.
    #[error("{0}")]
    Unsupported(String),
    /// Linking made a component that is not valid.
    #[error("the linked module would not be valid")]
    Invalid(#[source] wasmparser::Error),
}

impl LinkError {
    pub(crate) fn because<T>(reason: impl Into<String>) -> Result<T, LinkError> {
        Err(LinkError::Unsupported(reason.into()))
    }
}

/// As re-encoding reports what is wrong.
pub(crate) type ReencodeError = wasm_encoder::reencode::Error<LinkError>;

impl From<ReencodeError> for LinkError {
    fn from(failure: ReencodeError) -> LinkError {
        match failure {
            ReencodeError::UserError(refusal) => refusal,
            ReencodeError::ParseError(error) => LinkError::Unreadable(error),
            other => LinkError::Unsupported(other.to_string()),
        }
    }
}
