//! Arguments are checked before anything is queued, where the registry knows the task.
//!
//! The registry's record is written here, by the library. Must not start workers.

use chicory_queue::{AuditEntry, Client, ModuleRecord, Timestamp};
use chicory_testing::{Site, json};
use redis::Commands;
use serde_json::json;

const STREAM: &str = "chicory:stream:default";

/// A site whose registry has the module `sums` with a task `add` of two u32.
fn site() -> Site {
    let site = Site::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(register(&site));
    site
}

/// What a deployed version's digest looks like.
fn digest() -> String {
    "ab".repeat(32)
}

async fn register(site: &Site) {
    let url = format!("redis://127.0.0.1:{}", site.redis.port());
    let client = Client::open(&url).await.unwrap();
    let (now, digest) = (Timestamp::now(), digest());
    let param = |name: &str| json!({ "name": name, "type": "u32" });
    let add =
        json!({ "kind": "function", "params": [param("a"), param("the-other")], "result": "u32" });
    let record: ModuleRecord = serde_json::from_value(json!({
        "name": "sums", "active": digest,
        "versions": [{ "digest": digest, "size": 1, "tasks": { "add": add }, "deployed_by": "me", "deployed_at": now }],
    }))
    .unwrap();
    let entry = AuditEntry {
        at: now,
        by: "me".into(),
        action: "deploy".into(),
        module: "sums".into(),
        digest,
        detail: String::new(),
    };
    let registry = &client.connected().registry;
    let revision = registry.replace(&record, &entry).await.unwrap();
    assert!(revision.is_some());
}

fn queued(site: &Site) -> usize {
    site.connection().xlen(STREAM).unwrap()
}

#[test]
fn what_does_not_fit_is_refused_and_what_fits_names_the_version() {
    let site = site();
    for (args, said) in [
        (
            &["sums.add", "1", "two"][..],
            "task `sums.add`: args[1]: expected u32, got string",
        ),
        (
            &["sums.add", "1"],
            "task `sums.add`: kwargs: missing argument `the-other: u32`",
        ),
        (
            &["sums.add", "1", "--kwargs", "{\"the_other\": -2}"],
            "kwargs.the_other: expected u32, got -2, which is out of range",
        ),
        (
            &["sums.add", "1", "2", "--pin", &"cd".repeat(32)],
            "the message is pinned to version",
        ),
    ] {
        let ran = site.run(&[&["enqueue"], args].concat());
        assert!(ran.fails(2).contains(said), "{ran:?}");
    }
    assert_eq!(queued(&site), 0);
    let pin = format!("sha256:{}", digest());
    site.run(&["enqueue", "sums.add", "1", "2", "--pin", &pin])
        .ok();
    let entries: redis::streams::StreamRangeReply = site.connection().xrange_all(STREAM).unwrap();
    let message = json(&entries.ids[0].get::<String>("data").unwrap());
    assert_eq!(message["checked_against"], digest());
    assert_eq!(message["pin"], digest());
}

#[test]
fn a_mode_says_what_is_checked() {
    let site = site();
    let unknown = ["enqueue", "sums.multiply", "1"];
    let nowhere = ["enqueue", "elsewhere.add", "1"];
    let wrong = ["enqueue", "sums.add", "one"];
    site.run(&unknown).ok();
    site.run(&nowhere).ok();
    site.run(&[&wrong[..], &["--validation", "none"]].concat())
        .ok();
    assert_eq!(queued(&site), 3);
    let site = site.set("CHICORY_VALIDATION_MODE", "strict");
    let ran = site.run(&unknown);
    let said = "TaskNotFound: module \"sums\" has no task \"multiply\"; it has add";
    assert!(ran.fails(2).contains(said), "{ran:?}");
    let ran = site.run(&nowhere);
    let said = "no module for \"elsewhere.add\" is deployed; there is sums";
    assert!(ran.fails(2).contains(said), "{ran:?}");
    site.run(&[&nowhere[..], &["--validation", "inputs"]].concat())
        .ok();
    let ran = site.run(&[&wrong[..], &["--validation", "all"]].concat());
    assert!(
        ran.fails(2).contains("give inputs, strict or none"),
        "{ran:?}"
    );
}

#[test]
fn a_file_is_checked_as_a_whole_and_its_line_is_named() {
    let site = site();
    let line = |args: &str| format!("{{\"name\": \"sums.add\", \"args\": {args}}}\n");
    let lines = line("[1, 2]").repeat(1_500) + &line("[1, true]");
    site.write("sums.jsonl", &lines);
    let ran = site.run(&["enqueue", "--file", "sums.jsonl"]);
    let said = "line 1501: ValidationError: task `sums.add`: args[1]: expected u32, got boolean";
    assert!(ran.fails(2).contains(said), "{ran:?}");
    assert_eq!(queued(&site), 0);
    let ran = site.run_with_input(&["enqueue", "--file", "-"], lines.as_bytes());
    assert!(ran.fails(2).contains("line 1501"), "{ran:?}");
    assert_eq!(queued(&site), 1_000, "what was sent is whole batches");
}
