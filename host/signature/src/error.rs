//! Why arguments don't fit.

/// Why arguments don't fit, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ValidationError {
    /// Where, as a JSON path such as `args[1].width`.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}
