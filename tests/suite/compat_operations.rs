//! Chicory for Python's operations on dead letters, queues and delayed tasks, by the program's commands.
//!
//! Must not know the brokers' insides.

use chicory_testing::Site;
use redis::Commands;
use serde_json::{Value, json};

const STREAM: &str = "chicory:stream:default";
const DLQ: &str = "chicory:dlq:default";
const DELAYED: &str = "chicory:delayed:default";

/// Enqueues tasks that fail for good, and waits for their end.
fn fail(site: &Site, count: usize) -> Vec<String> {
    let mut worker = site.worker(&[]);
    let ids: Vec<_> = (0..count)
        .map(|number| site.enqueue(&["demo.gives-up", &format!("reason {number}")]))
        .collect();
    for id in &ids {
        worker.line_about("failed, and dead-lettered", id);
    }
    worker.stop();
    ids
}

#[test]
fn a_dead_letter_has_all_documented_fields() {
    let site = Site::new();
    let id = fail(&site, 1).remove(0);
    let entries: redis::streams::StreamRangeReply = site.connection().xrange_all(DLQ).unwrap();
    let entry = &entries.ids[0];
    let field = |name: &str| {
        entry
            .get::<String>(name)
            .unwrap_or_else(|| panic!("{name} is missing"))
    };
    let data: Value = serde_json::from_str(&field("data")).unwrap();
    assert_eq!(
        (&data["id"], &data["name"]),
        (&id.as_str().into(), &"demo.gives-up".into())
    );
    assert_eq!(data["args"], json!(["reason 0"]));
    assert!(
        field("failed_at").starts_with("20"),
        "{}",
        field("failed_at")
    );
    assert!(field("error").contains("reason 0"), "{}", field("error"));
    assert_eq!((field("retry_count"), field("task_id")), ("0".into(), id));
    assert_eq!(field("task_name"), "demo.gives-up");
    assert!(field("original_stream_id").contains('-'));
}

#[test]
fn dead_letters_are_listed_in_pages_shown_and_counted() {
    let site = Site::new();
    let ids = fail(&site, 3);
    let first = site.run(&["dlq", "list", "--count", "2", "--json"]).json();
    let listed = |page: &Value| -> Vec<String> {
        let letters = page.as_array().unwrap().iter();
        letters
            .map(|letter| letter["task_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(first.as_array().unwrap().len(), 2);
    let last = first[1]["id"].as_str().unwrap();
    let second = site.run(&["dlq", "list", "--after", last, "--json"]).json();
    let mut all = [listed(&first), listed(&second)].concat();
    all.sort_unstable();
    let mut expected = ids.clone();
    expected.sort_unstable();
    assert_eq!(all, expected);
    assert_eq!(site.run(&["dlq", "count"]).ok(), "3");
    assert_eq!(site.run(&["dlq", "count", "--queue", "other"]).ok(), "0");
    let shown = site.run(&["dlq", "show", &ids[0], "--json"]).json();
    assert_eq!(shown["original_message"]["id"], ids[0].as_str());
    let table = site.run(&["dlq", "list"]);
    assert!(table.ok().contains(&ids[0][..8]), "{table:?}");
}

#[test]
fn dead_letters_are_deleted_and_purged() {
    let site = Site::new();
    let ids = fail(&site, 3);
    site.run(&["dlq", "delete", &ids[1]]).ok();
    assert!(
        site.run(&["dlq", "delete", &ids[1]])
            .fails(1)
            .contains(&ids[1])
    );
    assert!(site.run(&["dlq", "purge"]).fails(2).contains("--yes"));
    assert_eq!(
        site.run(&["dlq", "purge", "--yes", "--json"]).json()["deleted"],
        2
    );
    assert_eq!(site.connection().xlen::<_, usize>(DLQ).unwrap(), 0);
}

#[test]
fn a_replay_counts_retries_anew_or_keeps_them() {
    let site = Site::new();
    let mut worker = site.worker(&[]);
    let id = site.enqueue(&["demo.always-fails"]);
    worker.line_about("failed, and dead-lettered", &id);
    worker.stop();
    let mut redis = site.connection();
    let mut replay = |flag: &str| -> Value {
        site.run(&["dlq", "replay", &id, flag]).ok();
        assert_eq!(redis.xlen::<_, usize>(DLQ).unwrap(), 0);
        let entries: redis::streams::StreamRangeReply = redis.xrange_all(STREAM).unwrap();
        let message = serde_json::from_str(&entries.ids[0].get::<String>("data").unwrap()).unwrap();
        let mut worker = site.worker(&[]);
        worker.line_about("failed, and dead-lettered", &id);
        worker.stop();
        message
    };
    let kept = replay("--keep-retries");
    assert_eq!((&kept["retries"], &kept["eta"]), (&1.into(), &Value::Null));
    assert!(
        kept["last_error"]
            .as_str()
            .unwrap()
            .contains("does not exist"),
        "{kept}"
    );
    let anew = replay("--reset-retries");
    assert_eq!(
        (&anew["retries"], &anew["last_error"], &anew["eta"]),
        (&0.into(), &Value::Null, &Value::Null)
    );
    assert!(
        site.run(&["dlq", "replay", "nobody"])
            .fails(1)
            .contains("nobody")
    );
}

/// A task whose module is missing isn't lost: once the module is deployed, a replay is enough.
#[test]
fn a_task_that_nobody_knows_waits_for_its_module() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let id = site.enqueue(&["errors.returns", "here now"]);
    let line = worker.line_about("failed, and dead-lettered", &id);
    let error = line["error"].as_str().unwrap();
    assert!(
        error.starts_with("TaskNotFound: ") && error.contains("demo"),
        "{error}"
    );
    assert_eq!(site.wait_for(&id)["state"], "FAILURE");

    site.deploy("errors");
    worker.line("loaded the changed module");
    assert_eq!(
        site.run(&["dlq", "replay", "--all", "--json"]).json()["replayed"],
        1
    );
    worker.line_about("done", &id);
    let result = site.wait_for(&id);
    assert_eq!(
        (&result["state"], &result["result"]),
        (&"SUCCESS".into(), &"here now".into())
    );
}

#[test]
fn a_delay_and_an_eta_are_waited_for() {
    let site = Site::new();
    let delayed = site.enqueue(&["demo.add", "1", "1", "--delay", "1h"]);
    let eta = site.enqueue(&["demo.add", "2", "2", "--eta", "2099-01-31T09:00:00Z"]);
    let past = site.enqueue(&["demo.add", "3", "3", "--eta", "2020-01-31T09:00:00Z"]);
    let mut redis = site.connection();
    let due: Vec<(String, f64)> = redis.zrange_withscores(DELAYED, -1, -1).unwrap();
    assert!(due[0].0.contains(&eta), "{due:?}");
    assert!(
        (due[0].1 - 4_073_533_200.0).abs() < 1e-3,
        "seconds since 1970: {due:?}"
    );
    let worker = site.worker(&[]);
    worker.line_about("done", &past);
    let soon = site.enqueue(&["demo.add", "4", "4", "--delay", "300ms"]);
    worker.line_about("done", &soon);
    assert_eq!(worker.tasks("done"), [past, soon]);
    let shown = site.run(&["queue", "show", "--json"]).json();
    assert_eq!(shown["delayed"], 2);
    assert_eq!(shown["delayed_list"][0]["message"]["id"], delayed.as_str());
}

#[test]
fn queues_are_listed_and_purged() {
    let site = Site::new();
    site.enqueue(&["demo.noop"]);
    site.enqueue(&["demo.noop", "--queue", "mail"]);
    site.enqueue(&["demo.noop", "--delay", "1h"]);
    let list = site.run(&["queue", "list", "--json"]).json();
    let numbers = |row: &Value| {
        (
            row["queue"].clone(),
            row["ready"].clone(),
            row["delayed"].clone(),
        )
    };
    assert_eq!(numbers(&list[0]), ("default".into(), 1.into(), 1.into()));
    assert_eq!(numbers(&list[1]), ("mail".into(), 1.into(), 0.into()));
    assert!(site.run(&["queue", "purge"]).fails(2).contains("--yes"));
    assert_eq!(
        site.run(&["queue", "purge", "--yes", "--json"]).json()["removed"],
        2
    );
    assert_eq!(site.run(&["queue", "show", "--json"]).json()["size"], 0);
    assert_eq!(
        site.run(&["queue", "show", "mail", "--json"]).json()["size"],
        1
    );
}

/// A purge while a worker runs a task: the worker continues with the next message.
#[test]
fn a_worker_survives_a_purge() {
    let site = Site::new();
    site.deploy("sleeping");
    let worker = site.worker(&[]);
    let purged = site.enqueue(&["sleeping.sleep", "4000"]);
    site.until_started(&purged);
    site.run(&["queue", "purge", "--yes"]).ok();
    worker.line_about("the lease was lost", &purged);
    let id = site.enqueue(&["demo.noop"]);
    worker.line_about("done", &id);
}

#[test]
fn retries_follow_the_policy_until_they_are_used_up() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let flaky = site.enqueue(&["demo.flaky"]);
    assert_eq!(worker.line_about("done", &flaky)["attempt"], 3);
    assert_eq!(site.wait_for(&flaky)["result"], 3);
    let own = [
        "--max-retries",
        "2",
        "--retry-delay",
        "0.05",
        "--backoff",
        "fixed",
    ];
    let args = [&["enqueue", "demo.always-fails"][..], &own].concat();
    let failing = site.run(&args).ok().to_owned();
    assert_eq!(
        worker.line_about("failed, and dead-lettered", &failing)["attempt"],
        3
    );
    let shown = site.run(&["dlq", "show", &failing, "--json"]).json();
    assert_eq!(shown["retry_count"], 2);
    let asked = site.enqueue(&["demo.rate-limited", "50"]);
    assert!(
        site.wait_for(&asked)["result"]
            .as_str()
            .unwrap()
            .contains("too many requests")
    );
}
