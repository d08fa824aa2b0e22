//! A task author's tools: the program with its tool chains, a new project, changes of its source.
//!
//! Must not know how a project is built.

use std::fs;
use std::path::Path;
use std::process::Command;

use chicory_testing::{PATIENCE, Ran, Site, root};
use serde_json::{Value, json};

/// The program with what toolchains need of the user's home, and with those of scripts/setup.
pub(crate) fn run(site: &Site, args: &[&str]) -> Ran {
    // The first build in a language also compiles its library.
    Ran::within(4 * PATIENCE, toolchains(site, args), b"")
}

/// The same, not started yet.
pub(crate) fn toolchains(site: &Site, args: &[&str]) -> Command {
    let mut command = site.command(args);
    let tools = root().join("target/tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).chain([tools.join("go/bin")]);
    command.env("PATH", std::env::join_paths(path).unwrap());
    command.env("PYTHONPATH", &tools);
    command.env("GOCACHE", root().join("target/guests/go-cache"));
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_HTTP_CAINFO"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // What scripts/setup has installed, so that no test waits for a registry.
    command.env("XDG_CACHE_HOME", root().join("target/tools/cache"));
    // One folder for all projects: their dependencies are the same.
    command.env("CARGO_TARGET_DIR", root().join("target/guests/projects"));
    command
}

/// Makes a new project in a folder of its name.
pub(crate) fn new_project(site: &Site, name: &str, language: &str) {
    run(site, &["new", name, "--lang", language]).ok();
}

/// A site with the new project `word-count`, built twice from the same source.
pub(crate) fn built_from_a_template(language: &str, task: &str) -> Site {
    let site = Site::new();
    let make = |folder: &str| {
        let new = ["new", "word-count", "--lang", language, "--dir", folder];
        run(&site, &new).ok();
        run(&site, &["build", folder, "--json"]).json()
    };
    let [built, other] = ["word-count", "deeper/other"].map(make);
    assert_eq!(built["language"], language);
    let tasks = built["tasks"].as_array().expect("a list").iter();
    let names: Vec<_> = tasks.map(|task| &task["name"]).collect();
    assert_eq!(names, [task]);
    assert_eq!(built["missing"], json!([]));
    assert_eq!(
        other["digest"], built["digest"],
        "the same source, the same digest"
    );
    site
}

/// What the template's task returns on a worker of its own.
pub(crate) fn result_on_a_worker(site: &Site, task: &str) -> Value {
    let _worker = site.worker(&["--modules", "word-count/build"]);
    site.call(&[&format!("word-count.{task}"), "a b a", "1"])["result"].clone()
}

/// Replaces a part of a file.
pub(crate) fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}
