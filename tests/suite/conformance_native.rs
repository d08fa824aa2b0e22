//! The conformance guest in the languages that compile to WebAssembly themselves: one list of cases,
//! `tests/guests/conformance/cases.toml`, and what can only be seen on a worker.
//!
//! Must not know how a guest is built.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use chicory_testing::{Site, guest, root};
use serde_json::{Value, json};

use crate::author;

const GUESTS: [&str; 2] = ["conformance-c", "conformance-rust"];

/// The guest's file. Those that scripts/guests leaves to the program are built by it first.
fn built(name: &str) -> PathBuf {
    static C: Once = Once::new();
    if name == "conformance-c" {
        C.call_once(|| {
            let folder = root().join("tests/guests/conformance-c");
            let output = root().join("target/guests/tests/conformance-c.wasm");
            let args = [
                "build",
                folder.to_str().unwrap(),
                "--output",
                output.to_str().unwrap(),
            ];
            author::run(&Site::new(), &args).ok();
        });
    }
    guest(name)
}

#[test]
fn every_case_passes_in_every_language() {
    for name in GUESTS {
        let site = Site::new();
        fs::create_dir_all(site.path("project/build")).unwrap();
        fs::write(site.path("project/main.c"), "").unwrap();
        fs::write(site.path(&format!("project/{name}.toml")), "").unwrap();
        let module = site.path(&format!("project/build/{name}.wasm"));
        fs::copy(built(name), module).unwrap();
        let cases = root().join("tests/guests/conformance/cases.toml");
        let cases = cases.to_str().unwrap();
        let ran = site.run(&["test", "project", "--no-build", "--cases", cases, "--json"]);
        let failed = |case: &&Value| case["passed"] != true;
        let report: Value = serde_json::from_str(&ran.stdout).expect(&ran.stderr);
        let failures: Vec<_> = report["cases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(failed)
            .collect();
        assert!(failures.is_empty(), "{name}: {failures:#?}");
        ran.ok();
    }
}

#[test]
fn a_task_knows_its_message_in_every_language() {
    for name in GUESTS {
        built(name);
        let site = Site::new();
        site.deploy_with(name, "[retry]\nmax_retries = 3\nretry_delay = 0.01\n");
        let _worker = site.worker(&[]);
        let task = format!("{name}.show-context");
        let id = site.enqueue(&[&task, "2"]);
        let seen = site.wait_for(&id)["result"].clone();
        assert_eq!(
            (&seen["id"], &seen["name"]),
            (&json!(id), &json!(task)),
            "{name}"
        );
        let numbers =
            ["retries", "max-retries", "remaining-retries"].map(|field| seen[field].as_u64());
        assert_eq!(numbers, [Some(2), Some(3), Some(1)], "{name}");
        assert_eq!(
            (&seen["is-last-retry"], &seen["tenant"]),
            (&json!(false), &Value::Null)
        );
        assert!(
            seen["last-error"]
                .as_str()
                .unwrap()
                .contains("retry 2 of 2"),
            "{seen}"
        );
        assert!(
            seen["deadline"].as_u64().unwrap() > 1_700_000_000_000,
            "{seen}"
        );
    }
}

#[test]
fn advice_decides_about_the_next_try_in_every_language() {
    for name in GUESTS {
        built(name);
        let site = Site::new();
        site.deploy_with(name, "[retry]\nmax_retries = 1\nretry_delay = 0.01\n");
        let _worker = site.worker(&[]);
        for (task, args, retries) in [
            ("fail-retry", &["again"][..], 1),
            ("fail-retry-after", &["again", "5"], 1),
            ("fail-fatal", &["never"], 0),
        ] {
            let task = format!("{name}.{task}");
            let id = site.enqueue(&[&[task.as_str()], args].concat());
            let ended = site.wait_for(&id);
            assert_eq!(ended["state"], "FAILURE", "{ended}");
            let letter = site.run(&["dlq", "show", &id, "--json"]).json();
            assert_eq!(letter["retry_count"], retries, "{letter}");
        }
    }
}

#[test]
fn a_panic_says_where_it_was() {
    let site = Site::new();
    let file = guest("conformance-rust");
    let ran = site.run(&[
        "run",
        file.to_str().unwrap(),
        "fail-uncaught",
        "the sky fell",
    ]);
    let said = ran.fails(1);
    assert!(said.contains("Trap: panicked at "), "{said}");
    assert!(
        said.contains("lib.rs:") && said.contains("the sky fell"),
        "{said}"
    );
}

#[test]
fn logs_and_progress_arrive_in_every_language() {
    for name in GUESTS {
        let site = Site::new();
        let file = built(name);
        let file = file.to_str().unwrap();
        let ran = site.run(&["run", file, "log-levels", "hear this"]);
        ran.ok();
        for level in ["trace", "debug", "info", "warn", "error"] {
            let line =
                |line: &str| line.to_lowercase().contains(level) && line.contains("hear this");
            assert!(
                ran.stderr.lines().any(line),
                "{name}, {level}: {}",
                ran.stderr
            );
        }
        let ran = site.run(&["run", file, "report-progress", "1"]);
        ran.ok();
        assert!(ran.stderr.contains("step 1"), "{name}: {}", ran.stderr);
    }
}
