//! Why a component is left as it is.
//!
//! Must not know how modules are linked.

/// What stands in the way of linking. Never a fault of the component: it runs as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it can't be read: {0}")]
    Unreadable(#[from] wasmparser::Error),
    #[error("{0}")]
    Unsupported(String),
    #[error("the linked module would not be valid: {0}")]
    Invalid(wasmparser::Error),
}

impl Refusal {
    pub(crate) fn because<T>(reason: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::Unsupported(reason.into()))
    }
}

/// As re-encoding reports what is wrong.
pub(crate) type Failure = wasm_encoder::reencode::Error<Refusal>;

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        match failure {
            Failure::UserError(refusal) => refusal,
            Failure::ParseError(error) => Refusal::Unreadable(error),
            other => Refusal::Unsupported(other.to_string()),
        }
    }
}
