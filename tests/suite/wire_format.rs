//! docs/wire-format.md: promises that no other test covers, and that the tests it names exist.
//!
//! Speaks to Redis as any client would. Must not use the queue's own library.

use std::fs;
use std::path::Path;

use chicory_testing::{Site, json, root};
use redis::Commands;
use serde_json::{Value, json};

fn enqueue(site: &Site, message: &Value) {
    let id = message["id"].as_str().unwrap();
    let fields = [("data", message.to_string()), ("task_id", id.to_owned())];
    let mut redis = site.connection();
    redis
        .xadd::<_, _, _, _, ()>("chicory:stream:default", "*", &fields)
        .unwrap();
}

#[test]
fn fields_of_a_message_by_hand_have_their_effect() {
    let site = Site::new();
    let worker = site.worker(&[]);
    enqueue(
        &site,
        &json!({ "id": "patient", "name": "demo.always-fails", "retry": { "max_retries": 2, "retry_delay": 0.01 } }),
    );
    enqueue(
        &site,
        &json!({ "id": "quiet", "name": "demo.noop", "ignore_result": true }),
    );
    worker.line_about("failed, and dead-lettered", "patient");
    worker.line_about("done", "quiet");
    let letter = site.run(&["dlq", "show", "patient", "--json"]).json();
    assert_eq!(letter["original_message"]["retries"], 2);
    let mut redis = site.connection();
    assert!(!redis.exists::<_, bool>("chicory:state:quiet").unwrap());
}

#[test]
fn arguments_that_do_not_fit_become_a_dead_letter() {
    let site = Site::new();
    let worker = site.worker(&[]);
    enqueue(
        &site,
        &json!({ "id": "wide", "name": "demo.add", "args": [1, "two"] }),
    );
    worker.line_about("failed, and dead-lettered", "wide");
    let letter = site.run(&["dlq", "show", "wide", "--json"]).json();
    let expected = "ValidationError: args[1]: expected u32, got string";
    assert_eq!(letter["error"], expected);
}

#[test]
fn who_waits_is_told_of_the_end() {
    let site = Site::new();
    let mut waiting = site.connection();
    let mut channels = waiting.as_pubsub();
    for channel in ["chicory:waiting", "chicory:done:sum"] {
        channels.subscribe(channel).unwrap();
    }
    let _worker = site.worker(&[]);
    enqueue(
        &site,
        &json!({ "id": "sum", "name": "demo.add", "args": [40, 2] }),
    );
    let told = channels.get_message().unwrap();
    assert_eq!(told.get_channel_name(), "chicory:done:sum");
    let told: String = told.get_payload().unwrap();
    let stored: String = site.connection().get("chicory:result:sum").unwrap();
    assert_eq!(told, stored);
    assert_eq!(json(&told)["result"], 42);
}

#[test]
fn an_inbox_gets_the_results_of_the_messages_that_name_it() {
    let site = Site::new();
    let mut waiting = site.connection();
    let mut channels = waiting.as_pubsub();
    channels.subscribe("chicory:reply:here").unwrap();
    let _worker = site.worker(&[]);
    for (id, task) in [("sum", "demo.add"), ("sad", "demo.always-fails")] {
        let args = if id == "sum" {
            json!([40, 2])
        } else {
            json!([])
        };
        let retry = json!({ "max_retries": 1, "retry_delay": 0.01 });
        let message =
            json!({ "id": id, "name": task, "args": args, "retry": retry, "reply_to": "here" });
        enqueue(&site, &message);
        let told: String = channels.get_message().unwrap().get_payload().unwrap();
        let stored: String = site
            .connection()
            .get(format!("chicory:result:{id}"))
            .unwrap();
        assert_eq!(told, stored);
        assert_eq!(json(&told)["task_id"], id);
    }
}

#[test]
fn every_test_that_the_document_names_is_there() {
    let document = fs::read_to_string(root().join("docs/wire-format.md")).unwrap();
    let sources: String = ["tests/suite", "host/queue/tests"]
        .iter()
        .map(|folder| texts(&root().join(folder)))
        .collect();
    let paragraphs = document.split("\n\n");
    let tested: Vec<_> = paragraphs
        .filter_map(|text| text.strip_prefix("Tested by: "))
        .collect();
    assert!(tested.len() >= 4, "{tested:?}");
    for name in tested
        .iter()
        .flat_map(|tests| tests.split('`').skip(1).step_by(2))
    {
        assert!(
            sources.contains(&format!("fn {name}(")),
            "there is no test {name}"
        );
    }
}

fn texts(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap();
    let paths = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file());
    paths
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}
