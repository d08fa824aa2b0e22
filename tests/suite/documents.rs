//! Commands in the documents: each `chicory …` and `make …` line of a shell block must exist as written.
//!
//! Must not run them: only their commands, flags and targets are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use chicory_testing::{Site, root};

use crate::program::all_commands;

/// A command line in a document, with where it stands.
#[derive(Debug)]
struct Line {
    place: String,
    words: Vec<String>,
}

/// The Markdown files that users read.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "examples", "examples/*", "tests/guests"] {
        let folders = match folder.strip_suffix("/*") {
            Some(parent) => fs::read_dir(root().join(parent))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect(),
            None => vec![root().join(folder)],
        };
        for folder in folders.into_iter().filter(|path| path.is_dir()) {
            let files = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            found.extend(files.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
        }
    }
    found
}

/// The lines of `sh` blocks that start with `program`, continuation lines joined.
fn lines(program: &str) -> Vec<Line> {
    let mut found = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let mut inside = false;
        let joined = text.replace("\\\n", " ");
        for (number, line) in joined.lines().enumerate() {
            if let Some(kind) = line.trim_start().strip_prefix("```") {
                inside = !inside && ["sh", "bash", "console", "shell"].contains(&kind.trim());
                continue;
            }
            let line = line
                .trim()
                .trim_start_matches("$ ")
                .trim_start_matches("target/debug/");
            if inside && line.split_whitespace().next() == Some(program) {
                let place = format!("{}:{}", document.display(), number + 1);
                found.push(Line {
                    place,
                    words: words(line),
                });
            }
        }
    }
    found
}

/// The words up to a pipe, a redirection or a comment; quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        let last = words.last_mut().expect("there is always a last word");
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if last.is_empty() => break,
            (None, '|' | '>' | '<' | ';' | '&') => break,
            (None, _) if c.is_whitespace() => words.push(String::new()),
            _ => last.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn commands_and_flags_exist() {
    let site = Site::new();
    let commands = all_commands(&site);
    for line in lines("chicory") {
        let words: Vec<&str> = line.words[1..].iter().map(String::as_str).collect();
        let named = &words[global_flags(&words)..];
        let path = (0..=named.len().min(2)).rev().find_map(|length| {
            let path = &named[..length];
            commands
                .iter()
                .any(|command| command == path)
                .then_some(path)
        });
        let path = path.unwrap_or_default();
        assert!(
            !path.is_empty() || named.is_empty(),
            "{}: no such command: {words:?}",
            line.place
        );
        let help = site.run(&[path, &["--help"]].concat());
        let help = help.ok();
        for flag in words
            .iter()
            .filter(|word| word.starts_with('-') && word.len() > 1)
        {
            let name = flag.split('=').next().unwrap_or_default();
            let negative_number = name[1..].parse::<f64>().is_ok();
            assert!(
                negative_number || has_flag(help, name),
                "{}: {path:?} has no flag {name}",
                line.place
            );
        }
    }
}

/// How many words stand before the command: flags that all commands have, with their values.
fn global_flags(words: &[&str]) -> usize {
    let mut before = 0;
    while let Some(flag) = words.get(before).filter(|word| word.starts_with('-')) {
        let has_value =
            !flag.contains('=') && ["--broker", "--config", "--log-level"].contains(flag);
        before += if has_value { 2 } else { 1 };
    }
    before.min(words.len())
}

fn has_flag(help: &str, name: &str) -> bool {
    let words = help.split(|c: char| c.is_whitespace() || "[],=<>".contains(c));
    words.into_iter().any(|word| word == name)
}

#[test]
fn make_targets_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for line in lines("make") {
        let targets = line.words[1..]
            .iter()
            .filter(|word| !word.contains('=') && !word.starts_with('-'));
        for target in targets {
            let rule = format!("\n{target}:");
            assert!(
                makefile.contains(&rule),
                "{}: the Makefile has no target {target}",
                line.place
            );
        }
    }
}

#[test]
fn words_end_where_the_command_does() {
    assert_eq!(
        words("chicory run a 'b c' --x=\"d e\" | head # f"),
        ["chicory", "run", "a", "b c", "--x=d e"]
    );
}

/// Where tests are.
const TESTS: [&str; 4] = [
    "tests/suite",
    "tests/fuzz/src",
    "host/runtime/tests",
    "host/confine/tests",
];

/// All Rust sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut text = String::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// The SDK has a workspace of its own, so its macros can't take the names of limits from the runtime.
#[test]
fn the_sdk_has_the_limits_of_a_manifest() {
    let limits = chicory_runtime::LIMIT_NAMES;
    let macros = "guest-sdk/rust/chicory-sdk-macros/src/settings.rs";
    let source = fs::read_to_string(root().join(macros)).unwrap();
    let list = source
        .split_once("const LIMITS: ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .expect("the macros list the limits")
        .1;
    let list = list.split_once("];").expect("the end of the list").0;
    let known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert_eq!(known, limits);
    let page = fs::read_to_string(root().join("guest-sdk/README.md")).unwrap();
    let row = format!("| `limits` | `{}` |", limits.join("`, `"));
    assert!(page.contains(&row), "guest-sdk/README.md lacks: {row}");
}

/// Each promise of docs/security.md has tests, which are there.
#[test]
fn promises_about_security_have_tests() {
    let tests: String = TESTS
        .iter()
        .map(|folder| sources(&root().join(folder)))
        .collect();
    let document = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut lines = document.lines();
    let mut promises = 0;
    while lines.any(|line| line == "| promise | tested by |") {
        for row in lines
            .by_ref()
            .skip(1)
            .take_while(|line| line.starts_with('|'))
        {
            let tested_by = row
                .trim_end_matches(" |")
                .rsplit(" | ")
                .next()
                .unwrap_or_default();
            let names: Vec<&str> = tested_by.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "no test: {row}");
            for name in names.into_iter().filter(|name| !name.contains(['.', '/'])) {
                let function = format!("fn {name}(");
                let target = format!("name: \"{name}\"");
                assert!(
                    tests.contains(&function) || tests.contains(&target),
                    "there is no test {name}"
                );
            }
            promises += 1;
        }
    }
    assert!(promises > 20, "{promises}");
}
