//! Tidy: rules about the sources that no compiler checks, as functions that return what breaks them.
//!
//! Must not know what the code does: it reads text.

pub mod modules;
mod paths;
pub mod terminal;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines.
pub const LONGEST_FILE: usize = 400;
/// The longest function, in lines.
pub const LONGEST_FUNCTION: usize = 60;
/// Words that don't say what a thing does.
const EMPTY_WORDS: [&str; 5] = ["util", "common", "helper", "manager", "processor"];

/// A source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path inside the project.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below a folder of the project whose name ends with `ending`, but for built ones.
pub fn sources(folder: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), folder, ending, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, name: &str, ending: &str, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{name}: {error}"));
    for entry in entries.filter_map(Result::ok) {
        let file = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{name}/{file}");
        // A link's files are checked where they are.
        if entry.path().is_symlink() {
            continue;
        }
        if entry.path().is_dir() {
            if file != "target" {
                collect(&entry.path(), &path, ending, found);
            }
        } else if file.ends_with(ending) {
            let text =
                fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            found.push(Source { path, text });
        }
    }
}

impl Source {
    /// A file starts by saying what it is for.
    pub fn says_what_it_is(&self) -> bool {
        self.text.starts_with("//! ")
    }

    /// The number of lines above the limit.
    pub fn lines_too_many(&self) -> usize {
        self.text.lines().count().saturating_sub(LONGEST_FILE)
    }

    /// Functions that are too long: name and lines. Relies on the formatter: a function ends with the
    /// first closing brace that stands as far to the right as the function's first line, or, without a body, at a
    /// closing parenthesis in that column and its semicolon.
    pub fn long_functions(&self) -> Vec<(String, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut found = Vec::new();
        for (first, line) in lines.iter().enumerate() {
            let Some(name) = defined(line, "fn") else {
                continue;
            };
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            let without_body = format!("{})", " ".repeat(indent));
            let length = lines[first..]
                .iter()
                .position(|line| {
                    *line == end || line.starts_with(&without_body) && line.ends_with(';')
                })
                .map_or(1, |last| last + 1);
            let on_one_line = line.ends_with('}') || line.ends_with(';');
            if !on_one_line && length > LONGEST_FUNCTION {
                found.push((name.to_owned(), length));
            }
        }
        found
    }

    /// Names in it, and its own name, that contain an empty word.
    pub fn empty_names(&self) -> Vec<String> {
        let defined = self.text.lines().flat_map(|line| {
            ["fn", "struct", "enum", "trait", "mod", "type"]
                .into_iter()
                .filter_map(|kind| defined(line, kind))
        });
        let stem = self
            .path
            .rsplit('/')
            .next()
            .and_then(|file| file.split('.').next());
        let names = defined.chain(stem);
        names
            .filter(|name| parts(name).iter().any(|part| is_empty_word(part)))
            .map(str::to_owned)
            .collect()
    }

    /// The first line of code (not a comment) that has `word` in it.
    pub fn mentions(&self, word: &str) -> Option<&str> {
        let comment =
            |line: &str| line.trim_start().starts_with("//") || line.trim_start().starts_with('#');
        self.text
            .lines()
            .find(|line| !comment(line) && line.contains(word))
    }
}

/// The name that a line defines, such as `name` in `pub(crate) async fn name(`.
fn defined<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = rest.split_once(' ')?;
        if word == kind {
            let end = after
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(after.len());
            return Some(&after[..end]).filter(|name| !name.is_empty());
        }
        let before_a_kind = word.starts_with("pub")
            || ["async", "const", "unsafe", "extern", "\"C\""].contains(&word);
        if !before_a_kind {
            return None;
        }
        rest = after;
    }
}

/// The words of a name in snake case, kebab case or camel case, in small letters.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| c.is_alphanumeric()) {
            part.extend(c.to_lowercase());
        }
    }
    parts
}

fn is_empty_word(part: &str) -> bool {
    EMPTY_WORDS.contains(&part.strip_suffix('s').unwrap_or(part)) || EMPTY_WORDS.contains(&part)
}

/// The names of the guests that misbehave: folders with sources, and text-format components.
pub fn guests() -> Vec<String> {
    let folder = root().join("tests/guests");
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("tests/guests: {error}"));
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_guest = entry.path().join("src").is_dir() && name != TOOL;
            name.strip_suffix(".wat")
                .map(str::to_owned)
                .or(is_guest.then_some(name))
        })
        .collect();
    names.sort_unstable();
    names
}

/// Assembles text-format components at build time; not a guest.
const TOOL: &str = "assemble";

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Vec<Source> {
        ["bench", "host", "tests", "examples"]
            .iter()
            .flat_map(|folder| sources(folder, ".rs"))
            .collect()
    }

    fn none(broken: &[String]) {
        assert!(broken.is_empty(), "\n  {}", broken.join("\n  "));
    }

    #[test]
    fn every_file_says_what_it_is_for() {
        let silent: Vec<_> = ours()
            .into_iter()
            .filter(|file| !file.says_what_it_is())
            .collect();
        none(
            &silent
                .into_iter()
                .map(|file| format!("{} does not start with `//! `", file.path))
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn no_file_is_too_long() {
        let long = ours().into_iter().filter(|file| file.lines_too_many() > 0);
        none(
            &long
                .map(|file| format!("{}: {} lines too many", file.path, file.lines_too_many()))
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn no_function_is_too_long() {
        let long = ours().into_iter().flat_map(|file| {
            let found = file.long_functions().into_iter();
            found.map(move |(name, lines)| format!("{}: {name} has {lines} lines", file.path))
        });
        none(&long.collect::<Vec<_>>());
    }

    #[test]
    fn no_name_is_empty() {
        let empty = ours()
            .into_iter()
            .filter(|file| file.path != "tests/src/lib.rs")
            .flat_map(|file| {
                let found = file.empty_names().into_iter();
                found.map(move |name| format!("{}: {name} does not say what it does", file.path))
            });
        none(&empty.collect::<Vec<_>>());
    }

    /// The queue and the sandbox don't know each other, and nothing depends on tests or examples.
    #[test]
    fn dependencies_point_in_one_direction() {
        let rules = [
            (
                "host/queue",
                &[
                    "wasmtime",
                    "chicory_runtime",
                    "chicory-runtime.",
                    "chicory_worker",
                    "chicory-worker.",
                ][..],
            ),
            (
                "host/runtime",
                &[
                    "redis",
                    "rusqlite",
                    "chicory_queue",
                    "chicory-queue.",
                    "chicory_worker",
                    "chicory-worker.",
                ],
            ),
            ("host/worker", &["wasmtime", "redis::", "rusqlite"]),
            ("host/link/src", &["wasmtime", "chicory_"]),
            ("host", &["chicory-tests.", "chicory_tests"]),
        ];
        let mut broken = Vec::new();
        for (folder, forbidden) in rules {
            let mut files = sources(folder, ".rs");
            files.extend(sources(folder, "Cargo.toml"));
            for file in &files {
                let found = forbidden.iter().filter_map(|word| file.mentions(word));
                broken.extend(found.map(|line| format!("{}: {line}", file.path)));
            }
        }
        none(&broken);
    }

    #[test]
    fn the_sdk_has_the_projects_own_wit() {
        let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
        assert_eq!(
            read("guest-sdk/rust/chicory-sdk/wit/task.wit"),
            read("wit/task.wit"),
            "copy wit/task.wit to guest-sdk/rust/chicory-sdk/wit"
        );
    }

    #[test]
    fn every_guest_has_a_test_that_names_it() {
        let suite = sources("tests/suite", ".rs");
        let named = |guest: &str| {
            let (whole, task) = (format!("\"{guest}\""), format!("\"{guest}."));
            suite
                .iter()
                .any(|file| file.text.contains(&whole) || file.text.contains(&task))
        };
        let guests = guests();
        assert!(guests.len() > 10, "{guests:?}");
        none(
            &guests
                .into_iter()
                .filter(|guest| !named(guest))
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn definitions_are_found() {
        assert_eq!(
            defined("    pub(crate) async fn fetch(shift: Shift) {", "fn"),
            Some("fetch")
        );
        assert_eq!(defined("pub struct Lease;", "struct"), Some("Lease"));
        assert_eq!(defined("let fn_name = 1;", "fn"), None);
        assert_eq!(parts("LeaseManager2"), ["", "lease", "manager2"]);
        let file = Source {
            path: "host/x/utils.rs".into(),
            text: "struct TaskProcessor;\nfn main() {}".into(),
        };
        assert_eq!(file.empty_names(), ["TaskProcessor", "utils"]);
    }

    #[test]
    fn long_functions_are_found() {
        let body = "        call();\n".repeat(LONGEST_FUNCTION);
        let text = format!(
            "impl X {{\n    fn long() {{\n{body}    }}\n\n    fn short() {{\n    }}\n\n    fn none(\n    ) -> Y;\n{body}}}\n"
        );
        let file = Source {
            path: "x.rs".into(),
            text,
        };
        assert_eq!(
            file.long_functions(),
            [("long".to_owned(), LONGEST_FUNCTION + 2)]
        );
        assert!(!file.says_what_it_is());
    }
}
