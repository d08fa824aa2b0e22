//! Messages that none of our producers wrote: by hand, by Chicory for Python, or unreadable.
//!
//! Must not know the brokers' insides.

use std::time::{SystemTime, UNIX_EPOCH};

use chicory_testing::Site;
use redis::Commands;
use serde_json::{Value, json};

const STREAM: &str = "chicory:stream:default";

/// As `redis-cli XADD chicory:stream:default '*' data '{…}' task_id …`.
fn xadd(site: &Site, fields: &[(&str, &[u8])]) {
    site.connection()
        .xadd::<_, _, _, _, ()>(STREAM, "*", fields)
        .unwrap();
}

#[test]
fn an_entry_by_hand_runs() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let data = r#"{"id": "by-hand", "name": "demo.add", "args": [40], "kwargs": {"b": 2}}"#;
    xadd(&site, &[("data", data.as_bytes()), ("task_id", b"by-hand")]);
    worker.line_about("done", "by-hand");
    assert_eq!(site.wait_for("by-hand")["result"], 42);
}

/// All fields as Chicory for Python writes them, with one that we do not know.
#[test]
fn an_entry_of_the_python_system_runs() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let data = json!({
        "id": "python", "name": "demo.greet", "args": ["Ada"], "kwargs": {}, "retries": 0,
        "eta": null, "priority": null, "first_failure_at": null, "last_error": null, "trace": "kept",
    });
    xadd(
        &site,
        &[
            ("data", data.to_string().as_bytes()),
            ("task_id", b"python"),
        ],
    );
    worker.line_about("done", "python");
    assert_eq!(site.wait_for("python")["result"], "Hello, Ada!");
}

#[test]
fn a_delayed_entry_by_hand_runs_when_due() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let message = |id: &str| {
        json!({ "id": id, "name": "demo.add", "args": [1, 1], "kwargs": {} }).to_string()
    };
    let mut redis = site.connection();
    redis
        .zadd::<_, _, _, ()>(
            "chicory:delayed:default",
            message("tomorrow"),
            now + 86_400.0,
        )
        .unwrap();
    redis
        .zadd::<_, _, _, ()>("chicory:delayed:default", message("soon"), now + 0.7)
        .unwrap();
    worker.line_about("done", "soon");
    let ended = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    assert!(ended >= now + 0.7, "not before it was due");
    assert_eq!(worker.tasks("done"), ["soon"]);
    assert_eq!(
        redis.zcard::<_, usize>("chicory:delayed:default").unwrap(),
        1
    );
}

/// Unreadable entries end as dead letters with a named error; the worker continues.
#[test]
fn unreadable_entries_are_dead_lettered_by_name() {
    let site = Site::new();
    let worker = site.worker(&[]);
    // pickle.dumps({"id": "p"}, protocol=4)
    let pickle = b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x02id\x94\x8c\x01p\x94s.";
    let entries: [(&str, &[u8], &str); 5] = [
        ("pickle", pickle, "a Python pickle"),
        ("no-json", b"{\"id\": ", "not a task message"),
        ("no-name", b"{\"id\": \"x\"}", "the field `name`"),
        (
            "future",
            b"{\"format\": 99, \"id\": \"x\", \"name\": \"y\"}",
            "format 99",
        ),
        ("bytes", b"\xff\xfe\x00", "not a task message"),
    ];
    for (id, data, _) in entries {
        xadd(&site, &[("data", data), ("task_id", id.as_bytes())]);
    }
    xadd(&site, &[("something", b"else")]);
    let id = site.enqueue(&["demo.noop"]);
    worker.line_about("done", &id);
    for (id, data, expected) in entries {
        worker.line_about("failed, and dead-lettered", id);
        let shown = site.run(&["dlq", "show", id, "--json"]).json();
        let error = shown["error"].as_str().unwrap();
        assert!(
            error.starts_with("UnreadableMessage: ") && error.contains(expected),
            "{id}: {error}"
        );
        assert_eq!(shown["original_message"], Value::Null);
        assert_eq!(shown["data"], String::from_utf8_lossy(data).as_ref());
    }
    assert_eq!(site.run(&["dlq", "count"]).ok(), "6");
    // A replay would fail again: it is refused, and the dead letter stays.
    assert!(
        site.run(&["dlq", "replay", "pickle"])
            .fails(2)
            .contains("pickle")
    );
    assert_eq!(site.run(&["dlq", "count"]).ok(), "6");
    let letters: redis::streams::StreamRangeReply =
        site.connection().xrange_all("chicory:dlq:default").unwrap();
    let mut kept = letters.ids.iter();
    let kept = kept
        .find(|letter| letter.get::<String>("task_id").as_deref() == Some("pickle"))
        .expect("the pickle is there");
    assert_eq!(
        kept.get::<Vec<u8>>("data").unwrap(),
        pickle,
        "kept as it was, byte by byte"
    );
}

/// Without dead letters an unreadable message is kept all the same: it is somebody's work.
#[test]
fn an_unreadable_entry_is_kept_even_without_dead_letters() {
    let site = Site::new();
    let worker = site.worker(&["--no-dlq"]);
    xadd(&site, &[("data", b"]"), ("task_id", b"odd")]);
    worker.line_about("failed, and dead-lettered", "odd");
    assert_eq!(site.run(&["dlq", "count"]).ok(), "1");
}

/// A field that we do not know survives a retry and a dead letter.
#[test]
fn unknown_fields_travel_along() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let data = json!({ "id": "tagged", "name": "demo.always-fails", "args": [], "kwargs": {}, "x-trace": {"a": [1]} });
    xadd(
        &site,
        &[
            ("data", data.to_string().as_bytes()),
            ("task_id", b"tagged"),
        ],
    );
    worker.line_about("failed, and dead-lettered", "tagged");
    let shown = site.run(&["dlq", "show", "tagged", "--json"]).json();
    assert_eq!(shown["original_message"]["x-trace"], json!({"a": [1]}));
    assert_eq!(shown["original_message"]["retries"], 1);
    assert!(shown["original_message"]["first_failure_at"].is_string());
}
