//! What can go wrong with a project, as variants that a caller can act on.
//!
//! Must not know the program's arguments: whoever shows an error adds which of them helps.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// An error of a library that is not named here.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A project can't be created, recognised, built or watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The folder can't be opened.
    #[error("can't open the project {}", dir.display())]
    Open {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No file in the folder tells of a language.
    #[error(
        "{} is not a project: there is no Cargo.toml, pyproject.toml, package.json, go.mod or main.c",
        dir.display()
    )]
    NotAProject {
        /// The folder.
        dir: PathBuf,
    },
    /// The project's name is not allowed.
    #[error(
        "{name:?} can't be a project's name: use lower-case letters, digits, `-` and `_`, starting with a letter{}; \
         a name with dots, such as myapp.tasks, goes into the manifest: name = \"myapp.tasks\"",
        if *reserved { " (this one is reserved by a language or a file)" } else { "" }
    )]
    Name {
        /// The name.
        name: String,
        /// Whether it is well formed, but one of the languages or a project's own files needs it.
        reserved: bool,
    },
    /// A new project can't be written there.
    #[error("can't write a project to {}: {}", dir.display(), if *is_file { "it is a file" } else { "it exists and is not empty" })]
    Occupied {
        /// The place.
        dir: PathBuf,
        /// Whether it is a file, rather than a folder with files in it.
        is_file: bool,
    },
    /// The project has no source file of its language.
    #[error("there is no {language} file in {}", dir.display())]
    NoSource {
        /// The language.
        language: crate::Language,
        /// The project's folder.
        dir: PathBuf,
    },
    /// A file or folder can't be read, written or made.
    #[error("can't {action} {}", path.display())]
    File {
        /// What was tried: `read`, `write` and so on.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the project can't be parsed.
    #[error("can't parse {file}")]
    Parse {
        /// The file's name.
        file: &'static str,
        /// Why.
        source: Cause,
    },
    /// The project's `wit/` can't be used.
    #[error("in wit/")]
    Wit {
        /// What is wrong, with the place.
        source: Cause,
    },
    /// The bindings can't be generated.
    #[error("wit-bindgen can't generate bindings")]
    Bindings {
        /// Why.
        source: Cause,
    },
    /// A tool is not installed.
    #[error("{what} is needed, and is not installed; to install it: {install}")]
    ToolMissing {
        /// The tool.
        what: String,
        /// Commands or addresses that install it.
        install: &'static str,
    },
    /// A tool can't be started.
    #[error("can't start `{command}`")]
    ToolStart {
        /// Its command line, shortened.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// A tool failed; it has said why on standard error.
    #[error("the build failed: `{command}` ended with {status}")]
    ToolFailed {
        /// Its command line, shortened.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The tool chain did not make the module, although it did not fail.
    #[error("the tool chain made no {}", path.display())]
    NotMade {
        /// Where the module should be.
        path: PathBuf,
        /// Why it can't be read.
        source: io::Error,
    },
    /// What cargo says about a build is not in the form that it promises.
    #[error("can't read cargo's messages")]
    Messages {
        /// Why.
        source: serde_json::Error,
    },
    /// Cargo built a package that is not a module.
    #[error("cargo made no .wasm file: give the library in Cargo.toml crate-type = [\"cdylib\"]")]
    NoModule,
    /// Cargo built a package with several modules.
    #[error(
        "cargo made several modules, but a project has one: {}",
        listed(modules)
    )]
    SeveralModules {
        /// Their files.
        modules: Vec<PathBuf>,
    },
    /// There is no folder for tools that are installed for builds.
    #[error("there is no folder to install tools in")]
    NoCache,
    /// What the tool chain made can't become a component.
    #[error("what the tool chain made can't be used")]
    NotAModule {
        /// Why.
        source: Cause,
    },
    /// The source can't be watched.
    #[error("can't watch {}", path.display())]
    Watch {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
}

fn listed(files: &[PathBuf]) -> String {
    let names: Vec<_> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.join(", ")
}

impl ProjectError {
    /// The error of an action on a file or folder.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
