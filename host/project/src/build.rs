//! From a project to a module: the language's tool chain, then wrapping and linking, then the file with its manifest.
//!
//! Must not know whether a worker would accept the module.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chicory_link::{LinkError, Linking};
use chicory_runtime::to_component;

use crate::project::Project;
use crate::request::{Build, BuildRequest, Progress};
use crate::{Language, ProjectError, c, go, javascript, python, rust, strip};

/// A module on disk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Built {
    /// The component; the manifest is beside it, where the project has one.
    pub file: PathBuf,
    /// What happened to its core modules.
    pub linked: Linked,
}

/// Whether a component's core modules were linked into one.
#[derive(Debug, Clone)]
pub enum Linked {
    /// This number of modules became one.
    Modules(usize),
    /// There was nothing to gain.
    Nothing,
    /// They stay as they are, for this reason.
    Not(Arc<LinkError>),
}

/// Builds the project, and reports to `tell` what takes a while. Blocks for as long as the tool chain runs, whose
/// messages go to standard error.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use chicory_project::{BuildRequest, Project, build};
///
/// let project = Project::find("word-count".as_ref())?;
/// let request = BuildRequest {
///     cache: Some("/var/cache/chicory".into()),
///     ..BuildRequest::default()
/// };
/// let built = build(&project, &request, &|progress| eprintln!("{progress:?}"))?;
/// println!("built {}", built.file.display());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ProjectError::ToolMissing`] says how to install the tool; [`ProjectError::ToolFailed`] where the source does not
/// compile; others name the file or the tool's answer that is wrong.
pub fn build(
    project: &Project,
    request: &BuildRequest,
    tell: &dyn Fn(Progress<'_>),
) -> Result<Built, ProjectError> {
    let folder = tempfile::tempdir().map_err(ProjectError::file(
        "make a temporary folder in",
        &std::env::temp_dir(),
    ))?;
    let made = folder.path().join(format!("{}.wasm", project.name));
    run_tool_chain(&Build {
        project,
        request,
        made: &made,
        tell,
    })?;
    let wasm = std::fs::read(&made).map_err(|source| ProjectError::NotMade {
        path: made.clone(),
        source,
    })?;
    let (wasm, linked) = finish(wasm, request.debug)?;
    let file = request.output.clone().unwrap_or_else(|| project.module());
    let parent = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(ProjectError::file("make the folder", parent))?;
    copy_manifest(project, &file)?;
    replace(&file, &wasm)?;
    Ok(Built { file, linked })
}

fn run_tool_chain(build: &Build<'_>) -> Result<(), ProjectError> {
    match build.project.language {
        Language::Rust => rust::build(build),
        Language::Python => python::build(build),
        Language::Javascript | Language::Typescript => javascript::build(build),
        Language::C => c::build(build),
        Language::Go => go::build(build),
    }
}

/// Makes a component of what the tool chain made.
fn finish(wasm: Vec<u8>, debug: bool) -> Result<(Vec<u8>, Linked), ProjectError> {
    let wasm = if debug {
        wasm
    } else {
        strip::debug_lines(wasm)
    };
    let wasm = to_component(wasm).map_err(|error| ProjectError::NotAModule {
        source: error.into(),
    })?;
    if debug {
        // Debug information refers to places in the modules as they were.
        return Ok((wasm, Linked::Nothing));
    }
    Ok(link(wasm))
}

/// One core module in place of many, so that a sandbox starts sooner.
fn link(wasm: Vec<u8>) -> (Vec<u8>, Linked) {
    match chicory_link::link(&wasm) {
        Ok(Linking::Linked { component, modules }) => (component, Linked::Modules(modules)),
        Ok(Linking::Nothing) => (wasm, Linked::Nothing),
        Err(error) => (wasm, Linked::Not(Arc::new(error))),
    }
}

/// Copies the manifest to the module; removes the copy of one that the project no longer has.
fn copy_manifest(project: &Project, file: &Path) -> Result<(), ProjectError> {
    let (source, beside) = (project.manifest(), file.with_extension("toml"));
    if source == beside {
        return Ok(());
    }
    match std::fs::read(&source) {
        Ok(text) => replace(&beside, &text),
        Err(_) if beside.exists() && beside.starts_with(project.root.join("build")) => {
            std::fs::remove_file(&beside)
                .map_err(ProjectError::file("remove the old manifest", &beside))
        }
        Err(_) => Ok(()),
    }
}

/// Writes a file in one step, since a worker may be watching. A file with this content stays as it is.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    if std::fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let folder = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        let mut new = tempfile::Builder::new()
            .permissions(readable_by_all())
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        new.write_all(bytes)?;
        new.persist(file)?;
        Ok(())
    };
    write().map_err(ProjectError::file("write", file))
}

fn readable_by_all() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}
