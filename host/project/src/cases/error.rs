//! What can be wrong with a file of test cases, or with using it.
//!
//! Must not know the program's arguments.

use std::io;
use std::path::PathBuf;

use chicory_runtime::LimitError;
use chicory_signature::{ArgumentsError, JsonError};

/// Test cases can't be read, run or recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CasesError {
    /// The file can't be read or written.
    #[error("can't {action} the test cases {}", file.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not valid.
    #[error("the test cases {}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CaseFault,
    },
    /// A case can't be run as it is written.
    #[error("case {case:?}")]
    Case {
        /// The case's name.
        case: String,
        /// Why.
        source: CaseError,
    },
}

/// Why a case can't be run as it is written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The module has no such task.
    #[error("the module has no task {task:?}; it has {}", known.join(", "))]
    NoTask {
        /// What the case names.
        task: String,
        /// The module's tasks.
        known: Vec<String>,
    },
    /// Its limits can't be used.
    #[error(transparent)]
    Limits(#[from] LimitError),
    /// A key that holds JSON as text can't be read.
    #[error("{key}")]
    Json {
        /// The key.
        key: &'static str,
        /// Why.
        source: JsonError,
    },
    /// Its arguments are not a list or an object.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    /// What the task returned is not JSON.
    #[error("the result is not JSON")]
    Result(#[source] serde_json::Error),
}

/// What is wrong with a file of test cases.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseFault {
    /// It is not TOML, or has keys or values that are not known.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// It can't be changed, because it is not TOML.
    #[error(transparent)]
    Edit(#[from] toml_edit::TomlError),
    /// It has no cases.
    #[error("there is no [[case]] in it")]
    NoCases,
    /// The tolerance is not a fraction.
    #[error("tolerance: give a number such as 0.1, for a tenth")]
    Tolerance,
    /// A case lacks something, or contradicts itself.
    #[error("case {number}: {reason}")]
    Case {
        /// The case's number, counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A usage is too large to be written.
    #[error("case {number} used more than the file can record")]
    Usage {
        /// The case's number, counted from 1.
        number: usize,
    },
}
