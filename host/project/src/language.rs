//! The languages that projects are written in.
//!
//! Must not know how they are built.

use std::fmt;

/// A language with a template and a tool chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Built by Cargo and rustc.
    Rust,
    /// Built by componentize-py.
    Python,
    /// Built by componentize-js.
    Javascript,
    /// Built by componentize-js.
    Typescript,
    /// Built by clang with a library for WASI.
    C,
    /// Built by the Go tool chain.
    Go,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Rust,
        Self::Python,
        Self::Javascript,
        Self::Typescript,
        Self::C,
        Self::Go,
    ];

    /// The name in lower case, which is also the name of its folder among the templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::C => "c",
            Self::Go => "go",
        }
    }

    /// The name of its folder among the SDKs, where its template uses one.
    pub(crate) fn sdk(self) -> Option<&'static str> {
        match self {
            Self::C => None,
            Self::Typescript => Some("javascript"),
            other => Some(other.name()),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Javascript => "JavaScript",
            Self::Typescript => "TypeScript",
            Self::C => "C",
            Self::Go => "Go",
        })
    }
}
