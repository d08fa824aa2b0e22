//! From a project to a module: the language's toolchain, then wrapping, then the file with its manifest.
//!
//! Must not know what a worker would say of the module.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chicory_link::Linking;
use chicory_runtime::to_component;
use chicory_signature::with_causes;

use super::{Language, Project, c, go, javascript, python, rust, strip};
use crate::exit::CommandError;

/// How to build.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// In place of `build/NAME.wasm` in the project.
    pub(crate) output: Option<PathBuf>,
    /// Only warnings and errors.
    pub(crate) quiet: bool,
    /// Keep lines of the source for backtraces; names of functions are kept in any case.
    pub(crate) debug: bool,
}

/// A module on disk.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// The component; the manifest is beside it, where the project has one.
    pub(crate) file: PathBuf,
    /// What became of its core modules.
    pub(crate) linked: Linked,
}

/// Whether a component's core modules were made one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Linked {
    /// So many were.
    Modules(usize),
    /// There was nothing to gain.
    Nothing,
    /// They stay as they are, for this reason.
    Not(String),
}

/// Builds the project. Takes as long as the toolchain does: for threads that may block.
pub(crate) fn build(project: &Project, request: &Request) -> anyhow::Result<Built> {
    let folder = tempfile::tempdir().context("can't make a temporary folder")?;
    let made = folder.path().join(format!("{}.wasm", project.name));
    let quiet = request.quiet;
    match project.language {
        Language::Rust => rust::build(project, &made, quiet)?,
        Language::Python => python::build(project, &made)?,
        Language::Javascript | Language::Typescript => javascript::build(project, &made)?,
        Language::C => c::build(project, &made, request.debug)?,
        Language::Go => go::build(project, &made, request.debug)?,
    }
    let wasm = std::fs::read(&made)
        .with_context(|| format!("the toolchain left no {}", made.display()))?;
    let wasm = if request.debug {
        wasm
    } else {
        strip::debug_lines(wasm)
    };
    let wasm = to_component(wasm).map_err(|error| {
        CommandError::Failed(format!(
            "what the toolchain made can't be used: {}",
            with_causes(&error)
        ))
    })?;
    let (wasm, linked) = if request.debug {
        // Lines of the source belong to places in the modules as they were.
        (wasm, Linked::Nothing)
    } else {
        link(wasm)
    };
    let file = request.output.clone().unwrap_or_else(|| project.module());
    let parent = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)
        .with_context(|| format!("can't make the folder {}", parent.display()))?;
    copy_manifest(project, &file)?;
    replace(&file, &wasm)?;
    Ok(Built { file, linked })
}

/// One core module in place of many, so that a sandbox starts sooner.
fn link(wasm: Vec<u8>) -> (Vec<u8>, Linked) {
    match chicory_link::link(&wasm) {
        Ok(Linking::Linked { component, modules }) => (component, Linked::Modules(modules)),
        Ok(Linking::Nothing) => (wasm, Linked::Nothing),
        Err(error) => (wasm, Linked::Not(with_causes(&error))),
    }
}

/// The manifest goes where the module goes; one that the project no longer has goes away.
fn copy_manifest(project: &Project, file: &Path) -> anyhow::Result<()> {
    let (source, beside) = (project.manifest(), file.with_extension("toml"));
    if source == beside {
        return Ok(());
    }
    match std::fs::read(&source) {
        Ok(text) => replace(&beside, &text),
        Err(_) if beside.exists() && beside.starts_with(project.root.join("build")) => {
            std::fs::remove_file(&beside)
                .with_context(|| format!("can't remove the old manifest {}", beside.display()))
        }
        Err(_) => Ok(()),
    }
}

/// Writes a file in one step, since a worker may be watching; one that is the same stays as it is.
fn replace(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
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
    write().with_context(|| format!("can't write {}", file.display()))
}

fn readable_by_all() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}
