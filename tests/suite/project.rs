//! A task author's way: new, build, test, run, and a worker on Redis.
//!
//! Must not know how a project is built.

use std::fs;
use std::path::Path;
use std::process::Command;

use chicory_testing::{PATIENCE, Ran, Site, root};

/// The program with what toolchains need of the user's home, and with those of scripts/setup.
pub(crate) fn run(site: &Site, args: &[&str]) -> Ran {
    // The first build of a language compiles its library as well.
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

#[test]
fn a_new_project_builds_tests_and_runs_as_it_is() {
    let site = Site::new();
    run(&site, &["new", "word-count", "--lang", "rust"]).ok();
    let again = run(&site, &["new", "word-count", "--lang", "rust"]);
    assert!(again.fails(2).contains("not empty"), "{again:?}");
    let built = run(&site, &["build", "word-count", "--json"]).json();
    assert_eq!(built["tasks"][0]["name"], "summarize");

    fs::create_dir(site.path("deeper")).unwrap();
    run(
        &site,
        &[
            "new",
            "word-count",
            "--lang",
            "rust",
            "--dir",
            "deeper/other",
        ],
    )
    .ok();
    let other = run(&site, &["build", "deeper/other", "--json"]).json();
    assert_eq!(
        other["digest"], built["digest"],
        "the same source, the same digest"
    );

    let test = |flags: &[&str]| run(&site, &[&["test", "word-count"], flags].concat());
    assert!(
        test(&["--update-usage"])
            .ok()
            .contains("3 of 3 cases passed")
    );
    assert!(
        test(&["--max-fuel", "5"])
            .fails(1)
            .contains("2 of 3 cases failed")
    );
    let cases = site.path("word-count/cases.toml");
    change(&cases, "words = 6", "words = 7");
    let failed = test(&["--no-build"]);
    failed.fails(1);
    assert!(failed.stdout.contains("-  \"words\": 7"), "{failed:?}");

    let worker = site.worker(&["--modules", "word-count/build"]);
    let words = [
        "enqueue",
        "word-count.summarize",
        "a b a",
        "1",
        "--wait",
        "--json",
    ];
    assert_eq!(site.run(&words).json()["result"]["unique"], 2);
    drop(worker);
}

#[test]
fn a_build_that_fails_says_so() {
    let site = Site::new();
    assert!(
        run(&site, &["build", "modules"])
            .fails(2)
            .contains("chicory new")
    );
    run(&site, &["new", "broken", "--lang", "rust"]).ok();
    change(
        &site.path("broken/src/lib.rs"),
        "-> Result<Summary, String>",
        "-> Result<Summery, String>",
    );
    assert!(
        run(&site, &["build", "broken"])
            .fails(1)
            .contains("the build failed")
    );
}

pub(crate) fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}
