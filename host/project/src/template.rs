//! A new project: a template, and the sources of the SDK that it uses.
//!
//! Both are compiled in, so that a project builds wherever it is. Must not know how one is built.

use std::path::{Path, PathBuf};

use crate::project::{Project, check_name};
use crate::{Language, ProjectError};

/// A file that is compiled in: its path below the folder, and its content.
type File = (&'static str, &'static [u8]);

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Where the SDK is in a project.
const SDK: &str = "sdk";

/// Writes a project called `name` into the folder `root`, which must be empty or not exist yet.
///
/// # Errors
/// [`ProjectError::Name`] and [`ProjectError::Occupied`], before anything is written, or an error that names the file
/// that can't be written.
pub fn create(root: &Path, name: &str, language: Language) -> Result<(), ProjectError> {
    check_name(name)?;
    check_empty(root)?;
    let own = below(TEMPLATES, language.name());
    for (path, bytes) in below(TEMPLATES, "every").chain(own) {
        let path = filled(path, name).replace("dot-", ".");
        match std::str::from_utf8(bytes) {
            Ok(text) => put(&root.join(path), filled(text, name).as_bytes())?,
            Err(_) => put(&root.join(path), bytes)?,
        }
    }
    write_sdk(&root.join(SDK), language)
}

fn check_empty(dir: &Path) -> Result<(), ProjectError> {
    let is_file = dir.is_file();
    if is_file || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ProjectError::Occupied {
            dir: dir.to_owned(),
            is_file,
        });
    }
    Ok(())
}

/// The SDK that a project is built with: its own, or else the one that is compiled in.
pub(crate) fn sdk(project: &Project) -> Result<PathBuf, ProjectError> {
    let own = project.root.join(SDK);
    if own.is_dir() {
        return Ok(own);
    }
    let written = project.root.join(".chicory").join(SDK);
    write_sdk(&written, project.language)?;
    Ok(written)
}

fn write_sdk(into: &Path, language: Language) -> Result<(), ProjectError> {
    let files = language.sdk().into_iter();
    for (path, bytes) in files.flat_map(|folder| below(SDKS, folder)) {
        put(&into.join(path), bytes)?;
    }
    Ok(())
}

/// The files in one folder, with their paths inside it.
fn below(files: &'static [File], folder: &str) -> impl Iterator<Item = File> {
    let prefix = format!("{folder}/");
    files
        .iter()
        .filter_map(move |(path, bytes)| Some((path.strip_prefix(prefix.as_str())?, *bytes)))
}

/// Puts the name where the template wants it, also as an identifier.
fn filled(text: &str, name: &str) -> String {
    text.replace("{{ident}}", &name.replace('-', "_"))
        .replace("{{name}}", name)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, bytes)?;
        if bytes.starts_with(b"#!") {
            executable(path)?;
        }
        Ok(())
    };
    write().map_err(ProjectError::file("write", path))
}

fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C has no maps, so its example has two functions beside it.
    #[test]
    fn the_worked_example_is_a_function_of_at_most_fifteen_lines() {
        for (language, file, begin) in [
            ("rust", "src/lib.rs", "pub fn summarize"),
            ("python", "app.py", "def summarize"),
            ("javascript", "src/index.js", "function count"),
            ("typescript", "src/index.ts", "export const summarize"),
            ("go", "main.go", "func summarize"),
            ("c", "main.c", "bool exports_tasks_summarize"),
        ] {
            let (_, bytes) = below(TEMPLATES, language)
                .find(|(path, _)| *path == file)
                .expect(file);
            let text = std::str::from_utf8(bytes).unwrap();
            let lines = text
                .lines()
                .skip_while(|line| !line.trim_start().starts_with(begin));
            let indent = |line: &str| line.len() - line.trim_start().len();
            let first = lines.clone().next().expect(begin);
            let inside = lines
                .skip(1)
                .take_while(|line| line.is_empty() || indent(line) > indent(first));
            let count = 1 + inside.filter(|line| !line.is_empty()).count();
            assert!((5..15).contains(&count), "{language}: {count}");
        }
    }

    #[test]
    fn every_language_has_a_template_with_a_test_case() {
        for language in Language::ALL {
            let dir = tempfile::tempdir().unwrap();
            create(dir.path(), "word-list", language).unwrap();
            for file in ["cases.toml", "word-list.toml", ".gitignore", "README.md"] {
                assert!(dir.path().join(file).is_file(), "{language} has no {file}");
            }
            let found = Project::find(dir.path()).unwrap();
            assert_eq!(
                (found.name.as_str(), found.language),
                ("word-list", language)
            );
        }
    }
}
