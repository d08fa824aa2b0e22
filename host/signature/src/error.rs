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

/// A conversion's result; the error's path starts at the value that was given.
pub(crate) type Lowered<T> = Result<T, ValidationError>;

/// An error at the place where it is found; callers put their part of the path before it.
pub(crate) fn wrong(message: impl Into<String>) -> ValidationError {
    ValidationError {
        path: String::new(),
        message: message.into(),
    }
}

/// Puts `segment` before an error's path.
pub(crate) fn at(mut error: ValidationError, segment: &str) -> ValidationError {
    error.path.insert_str(0, segment);
    error
}
