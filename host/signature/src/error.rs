//! Why arguments don't fit.

use std::convert::Infallible;

/// Why arguments don't fit, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ValidationError {
    /// Where, as a JSON path such as `args[1].width`.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

/// Why a conversion ended early.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The arguments don't fit.
    Misfit(ValidationError),
    /// The target can't take a value.
    Target(E),
}

/// What reading a value gives; the error's path starts at the value that was given.
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

impl<E> Stopped<E> {
    /// Puts a segment before the path of an error of the arguments.
    pub(crate) fn at(self, segment: impl FnOnce() -> String) -> Self {
        match self {
            Self::Misfit(error) => Self::Misfit(at(error, &segment())),
            stopped @ Self::Target(_) => stopped,
        }
    }
}

impl<E> From<ValidationError> for Stopped<E> {
    fn from(error: ValidationError) -> Self {
        Self::Misfit(error)
    }
}

impl From<Stopped<Infallible>> for ValidationError {
    fn from(stopped: Stopped<Infallible>) -> Self {
        match stopped {
            Stopped::Misfit(error) => error,
            Stopped::Target(never) => match never {},
        }
    }
}
