//! What is to be built, how, and who hears of the progress.
//!
//! Must not know tool chains.

use std::path::{Path, PathBuf};

use crate::project::Project;

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// Where the module goes, in place of [`Project::module`].
    pub output: Option<PathBuf>,
    /// Whether tools are to show warnings and errors only.
    pub quiet: bool,
    /// Whether to keep the lines of the source for backtraces. Names of functions are kept in any case.
    pub debug: bool,
    /// The folder in which tools are installed that some languages need, once per machine. Without one, those
    /// languages can't be built.
    pub cache: Option<PathBuf>,
}

/// What a build is doing, where that takes a while and no tool says so.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Tools are being installed, once per machine.
    Installing {
        /// What they build.
        name: &'a str,
        /// Where they go.
        folder: &'a Path,
    },
}

/// One build.
pub(crate) struct Build<'a> {
    pub(crate) project: &'a Project,
    pub(crate) request: &'a BuildRequest,
    /// Where the tool chain puts what it makes.
    pub(crate) made: &'a Path,
    pub(crate) tell: &'a dyn Fn(Progress<'_>),
}

impl Build<'_> {
    /// The name of the SDK that the project uses.
    pub(crate) fn sdk_name(&self) -> &'static str {
        let language = self.project.language;
        language.sdk().unwrap_or_else(|| language.name())
    }
}
