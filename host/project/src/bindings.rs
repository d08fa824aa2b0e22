//! The bindings that a project's WIT asks for, by wit-bindgen's generators: for languages without a
//! generator of their own.
//!
//! Must not know how the sources are compiled.

use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::{PackageId, Resolve, WorldItem};
use wit_bindgen_core::{Files, WorldGenerator};

use crate::project::Project;
use crate::{Cause, ProjectError};

/// The package that every task may import, so that no project needs a copy.
const TASK: &str = include_str!("../wit/task.wit");

/// Where they are in the project.
pub(crate) const FOLDER: &str = "build/bindings";

/// What was generated.
#[derive(Debug)]
pub(crate) struct Bindings {
    /// The files, from the project's folder.
    pub(crate) files: Vec<PathBuf>,
    /// The world has functions for others to call, and so no need of `main`.
    pub(crate) exports: bool,
}

/// Generates what the project's `wit/` asks for; none where there is no such folder. The files stay in the
/// project, for the author's editor.
pub(crate) fn generate(
    project: &Project,
    mut generator: Box<dyn WorldGenerator>,
) -> Result<Option<Bindings>, ProjectError> {
    let wit = project.root.join("wit");
    if !wit.is_dir() {
        return Ok(None);
    }
    let (mut resolve, package) = resolve(&wit).map_err(|source| ProjectError::Wit { source })?;
    let world = resolve
        .select_world(&[package], None)
        .map_err(|error| ProjectError::Wit {
            source: error.into(),
        })?;
    let exports = resolve.worlds[world].exports.values();
    let exports = exports
        .into_iter()
        .any(|item| !matches!(item, WorldItem::Type { .. }));
    let mut files = Files::default();
    generator
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| ProjectError::Bindings {
            source: error.into(),
        })?;
    write(&project.root.join(FOLDER), &files)?;
    let names = files.iter().map(|(name, _)| Path::new(FOLDER).join(name));
    Ok(Some(Bindings {
        files: names.collect(),
        exports,
    }))
}

/// The project's packages, with the one that every task may import. The error shows the place.
fn resolve(wit: &Path) -> Result<(Resolve, PackageId), Cause> {
    // One with a copy in wit/deps is complete; there can't be a second one.
    let mut alone = Resolve::default();
    if let Ok((package, _)) = alone.push_path(wit) {
        return Ok((alone, package));
    }
    let mut resolve = Resolve::default();
    let pushed = resolve
        .push_str("task.wit", TASK)
        .and_then(|_| resolve.push_path(wit));
    match pushed {
        Ok((package, _)) => Ok((resolve, package)),
        Err(error) => Err(resolve.render_error(&error).into()),
    }
}

/// Writes the files; those that are the same stay as they are.
fn write(folder: &Path, files: &Files) -> Result<(), ProjectError> {
    for (name, bytes) in files.iter() {
        let file = folder.join(name);
        let parent = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(ProjectError::file("make the folder", parent))?;
        if std::fs::read(&file).ok().as_deref() != Some(bytes) {
            std::fs::write(&file, bytes).map_err(ProjectError::file("write", &file))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(files: &[(&str, &str)]) -> Result<(Resolve, PackageId), Cause> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        resolve(dir.path())
    }

    #[test]
    fn the_host_need_not_be_copied_and_may_be() {
        const WORLD: &str = "package a:b;\nworld c { include chicory:task/imports@0.1.0; }";
        let copied = ("deps/chicory-task/task.wit", TASK);
        for files in [&[("world.wit", WORLD)][..], &[("world.wit", WORLD), copied]] {
            let (resolve, package) = resolved(files).unwrap();
            let world = resolve.select_world(&[package], None).unwrap();
            assert_eq!(resolve.worlds[world].imports.len(), 4, "{files:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_of_the_projects_own_file() {
        let error = resolved(&[("world.wit", "package a:b;\nworld c { expotr f: func(); }")]);
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("expotr") && text.contains("world.wit"),
            "{text}"
        );
    }
}
