//! A folder with a task module's source: which language, which name, and where things are in it.
//!
//! Must not know what a command does with it.

mod bindings;
mod build;
mod c;
mod go;
mod installed;
mod javascript;
mod python;
mod rust;
mod strip;
mod template;
mod tool;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::exit::CommandError;

pub(crate) use build::{Built, Linked, Request, build};
pub(crate) use template::write as write_template;

/// The languages that Chicory knows how to build. Those without a template are no choice for a new project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Cargo and rustc
    Rust,
    /// componentize-py
    Python,
    /// componentize-js
    Javascript,
    /// componentize-js
    Typescript,
    /// clang with a library for WASI
    C,
    /// The Go toolchain
    Go,
}

impl Language {
    /// The name of its folder among templates.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::Javascript => "javascript",
            Language::Typescript => "typescript",
            Language::C => "c",
            Language::Go => "go",
        }
    }

    /// The name of its folder among the SDKs, where its template uses one.
    pub(crate) fn sdk(self) -> Option<&'static str> {
        match self {
            Language::C => None,
            Language::Typescript => Some("javascript"),
            other => Some(other.folder()),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Language::Rust => "Rust",
            Language::Python => "Python",
            Language::Javascript => "JavaScript",
            Language::Typescript => "TypeScript",
            Language::C => "C",
            Language::Go => "Go",
        })
    }
}

/// A module's source.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Its folder, without symbolic links.
    pub(crate) root: PathBuf,
    /// The module's name, which is the name of its files.
    pub(crate) name: String,
    /// What it is written in.
    pub(crate) language: Language,
}

impl Project {
    /// Looks at a folder.
    pub(crate) fn find(dir: &Path) -> anyhow::Result<Self> {
        let root = dir
            .canonicalize()
            .with_context(|| format!("can't open the project {}", dir.display()))?;
        let Some(language) = language(&root) else {
            let message = format!(
                "{} is no project: there is no Cargo.toml, pyproject.toml, package.json, go.mod or main.c; \
                 `chicory new NAME --lang LANGUAGE` writes one",
                dir.display()
            );
            return Err(CommandError::Usage(message).into());
        };
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

    /// What the module may touch and use up: a file that need not be there.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.root.join(format!("{}.toml", self.name))
    }

    /// The built module, unless it is asked for elsewhere.
    pub(crate) fn module(&self) -> PathBuf {
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
fn name(root: &Path, language: Language) -> anyhow::Result<Option<String>> {
    let read = |file: &str| {
        let path = root.join(file);
        std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
    };
    Ok(match language {
        Language::Rust => toml_name(&read("Cargo.toml")?, "package").context("Cargo.toml")?,
        Language::Python => match read("pyproject.toml") {
            Ok(text) => toml_name(&text, "project").context("pyproject.toml")?,
            Err(_) => None,
        },
        Language::Javascript | Language::Typescript => {
            let package: serde_json::Value =
                serde_json::from_str(&read("package.json")?).context("package.json")?;
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

fn toml_name(text: &str, table: &str) -> anyhow::Result<Option<String>> {
    let table = toml::from_str::<toml::Table>(text)?.remove(table);
    let name = table.as_ref().and_then(|table| table.get("name"));
    Ok(name.and_then(|name| name.as_str()).map(str::to_owned))
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

/// A name that every language's tools, and a file, can have.
pub(crate) fn check_name(name: &str) -> Result<(), CommandError> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if starts && name.chars().all(rest) && !name.ends_with(['-', '_']) && !RESERVED.contains(&name)
    {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "{name:?} can't be a project's name: use small letters, digits, `-` and `_`, with a letter first{}; \
         a name with dots, such as myapp.tasks, goes into the manifest: name = \"myapp.tasks\"",
        if RESERVED.contains(&name) {
            " (this one is taken by a language or a file)"
        } else {
            ""
        }
    )))
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

    fn project(files: &[(&str, &str)]) -> anyhow::Result<(String, Language)> {
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
    fn what_is_no_project_says_what_would_be_one() {
        let error = project(&[("README.md", "")]).unwrap_err().to_string();
        assert!(
            error.contains("Cargo.toml") && error.contains("chicory new"),
            "{error}"
        );
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
