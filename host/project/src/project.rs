//! A folder with a task module's source: which language, which name, and where things are in it.
//!
//! Must not know what is done with it.

use std::path::{Path, PathBuf};

use crate::{Language, ProjectError};

/// A module's source.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use chicory_project::{Language, Project, create};
///
/// let folder = tempfile::tempdir()?;
/// create(folder.path(), "word-count", Language::Rust)?;
///
/// let project = Project::find(folder.path())?;
/// assert_eq!((project.name.as_str(), project.language), ("word-count", Language::Rust));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Project {
    /// Its folder, without symbolic links.
    pub root: PathBuf,
    /// The module's name, which is the name of its files.
    pub name: String,
    /// What it is written in.
    pub language: Language,
}

impl Project {
    /// Recognises the project in a folder by its files.
    ///
    /// # Errors
    /// [`ProjectError::NotAProject`] where no file tells of a language, [`ProjectError::Name`] where the name that the
    /// files give is not allowed, or an error that names the file that can't be read.
    pub fn find(dir: &Path) -> Result<Self, ProjectError> {
        let root = dir.canonicalize().map_err(|source| ProjectError::Open {
            dir: dir.to_owned(),
            source,
        })?;
        let language = language(&root).ok_or_else(|| ProjectError::NotAProject {
            dir: dir.to_owned(),
        })?;
        let name = match name(&root, language)? {
            Some(name) => name,
            None => folder_name(&root),
        };
        check_name(&name)?;
        Ok(Self {
            root,
            name,
            language,
        })
    }

    /// The manifest, which says what the module may touch and use up. It need not exist.
    pub fn manifest(&self) -> PathBuf {
        self.root.join(format!("{}.toml", self.name))
    }

    /// Where the built module goes, unless a build is asked to put it elsewhere.
    pub fn module(&self) -> PathBuf {
        self.root.join("build").join(format!("{}.wasm", self.name))
    }
}

fn language(root: &Path) -> Option<Language> {
    let has = |name: &str| root.join(name).is_file();
    if has("Cargo.toml") {
        return Some(Language::Rust);
    }
    if has("package.json") {
        let typed =
            has("tsconfig.json") || has_suffix(root, ".ts") || has_suffix(&root.join("src"), ".ts");
        return Some(if typed {
            Language::Typescript
        } else {
            Language::Javascript
        });
    }
    if has("go.mod") {
        return Some(Language::Go);
    }
    if has("pyproject.toml") || has_suffix(root, ".py") {
        return Some(Language::Python);
    }
    has_suffix(root, ".c").then_some(Language::C)
}

fn has_suffix(dir: &Path, suffix: &str) -> bool {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .any(|name| name.ends_with(suffix) && !name.ends_with(".d.ts"))
}

/// The name that the language's own file gives.
fn name(root: &Path, language: Language) -> Result<Option<String>, ProjectError> {
    let read = |file: &str| {
        let path = root.join(file);
        std::fs::read_to_string(&path).map_err(ProjectError::file("read", &path))
    };
    Ok(match language {
        Language::Rust => toml_name(&read("Cargo.toml")?, "Cargo.toml", "package")?,
        Language::Python => match read("pyproject.toml") {
            Ok(text) => toml_name(&text, "pyproject.toml", "project")?,
            Err(_) => None,
        },
        Language::Javascript | Language::Typescript => {
            let package: serde_json::Value = serde_json::from_str(&read("package.json")?)
                .map_err(|error| unparsed("package.json", error))?;
            let name = package["name"].as_str();
            name.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
        }
        Language::Go => {
            let text = read("go.mod")?;
            let module = text.lines().find_map(|line| line.strip_prefix("module "));
            module.map(|path| path.trim().rsplit('/').next().unwrap_or(path).to_owned())
        }
        Language::C => manifest_name(root),
    })
}

fn toml_name(text: &str, file: &'static str, table: &str) -> Result<Option<String>, ProjectError> {
    let mut tables: toml::Table = toml::from_str(text).map_err(|error| unparsed(file, error))?;
    let table = tables.remove(table);
    let name = table.as_ref().and_then(|table| table.get("name"));
    Ok(name.and_then(|name| name.as_str()).map(str::to_owned))
}

/// The error for a file of the project that can't be parsed.
pub(crate) fn unparsed(
    file: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ProjectError {
    ProjectError::Parse {
        file,
        source: error.into(),
    }
}

/// C has no file that names a project: the manifest's name is the module's.
fn manifest_name(root: &Path) -> Option<String> {
    let files = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut names = files.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".toml")?;
        (stem != "cases").then(|| stem.to_owned())
    });
    let name = names.next()?;
    names.next().is_none().then_some(name)
}

fn folder_name(root: &Path) -> String {
    let name = root.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Checks that every language's tools, and a file, can have this name.
///
/// # Errors
/// [`ProjectError::Name`], which says what is allowed.
pub fn check_name(name: &str) -> Result<(), ProjectError> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let reserved = RESERVED.contains(&name);
    if starts && name.chars().all(rest) && !name.ends_with(['-', '_']) && !reserved {
        return Ok(());
    }
    Err(ProjectError::Name {
        name: name.to_owned(),
        reserved,
    })
}

/// Words that one of the languages, or a project's own files, keep for themselves.
const RESERVED: [&str; 9] = [
    "cases",
    "pyproject",
    "test",
    "self",
    "super",
    "crate",
    "main",
    "build",
    "sdk",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> Result<(String, Language), ProjectError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Project::find(dir.path()).map(|project| (project.name, project.language))
    }

    #[test]
    fn languages_and_names_are_found() {
        let cases: [(&[(&str, &str)], Language); 6] = [
            (&[("Cargo.toml", "[package]\nname = \"a\"")], Language::Rust),
            (
                &[("pyproject.toml", "[project]\nname = \"a\"")],
                Language::Python,
            ),
            (
                &[("package.json", "{\"name\": \"@x/a\"}")],
                Language::Javascript,
            ),
            (
                &[("package.json", "{\"name\": \"a\"}"), ("t.ts", "")],
                Language::Typescript,
            ),
            (
                &[("go.mod", "module example.com/a\n\ngo 1.24\n")],
                Language::Go,
            ),
            (
                &[("main.c", ""), ("a.toml", ""), ("cases.toml", "")],
                Language::C,
            ),
        ];
        for (files, language) in cases {
            assert_eq!(project(files).unwrap(), ("a".to_owned(), language));
        }
    }

    #[test]
    fn a_folder_without_a_project_says_what_would_be_one() {
        let error = project(&[("README.md", "")]).unwrap_err();
        assert!(matches!(error, ProjectError::NotAProject { .. }));
        assert!(error.to_string().contains("Cargo.toml"), "{error}");
    }

    #[test]
    fn names_are_checked() {
        for name in ["a", "word-count", "a_1"] {
            check_name(name).unwrap();
        }
        for name in ["", "1a", "A", "a.b", "a b", "../a", "a-", "test", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
