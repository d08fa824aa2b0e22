//! What can be wrong with a configuration.
//!
//! Must not show secrets: whoever builds an error masks the value.

/// A configuration can't be used. The program ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file can't be read.
    #[error("can't read {file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// A file that can't be parsed.
    #[error("{file}, line {line}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong, without the line's text.
        message: String,
    },
    /// A name that is not a setting.
    #[error("{name} is not a setting; {hint}")]
    Unknown {
        /// The name, and where it was found.
        name: String,
        /// The nearest name, or where to look.
        hint: String,
    },
    /// A value that is not allowed.
    #[error("{name}: {value:?} is not allowed; give {allowed}")]
    BadValue {
        /// The setting, by the name that was used where the value was set.
        name: String,
        /// The value, masked if it is a secret.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A setting that a file which may be anybody's has set.
    #[error(
        "{name}: this setting decides what is trusted, so a file that happens to be in the working folder can't set it; set {variable} in the environment, or name the settings file with --config"
    )]
    Guarded {
        /// The setting, by the name that was used where the value was set.
        name: String,
        /// Its variable.
        variable: String,
    },
    /// Values that contradict each other.
    #[error("{0}")]
    Conflict(String),
}
