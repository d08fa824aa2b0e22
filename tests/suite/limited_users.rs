//! Redis users with few rights: the lines that docs/redis.md gives are enough, and what is optional is optional.
//!
//! Must not make up rights of its own where the document has some.

use std::fs;
use std::time::Instant;

use chicory_testing::{Ran, Site, WorkerProcess, root};
use serde_json::Value;

const PASSWORD: &str = "geheim";

/// Makes a user by the words of an ACL line.
fn add_user(site: &Site, line: &str) {
    let words: Vec<String> = (line.split_whitespace())
        .map(|word| word.replace("PASSWORD", PASSWORD))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    site.redis.query::<()>(&words);
}

fn as_user(site: &Site, user: &str, args: &[&str]) -> std::process::Command {
    let mut command = site.command(args);
    command
        .env("CHICORY_BROKER_REDIS_USERNAME", user)
        .env("CHICORY_BROKER_REDIS_PASSWORD", PASSWORD);
    command
}

fn run(site: &Site, user: &str, args: &[&str]) -> Ran {
    Ran::of(as_user(site, user, args), b"")
}

fn worker(site: &Site, user: &str) -> WorkerProcess {
    WorkerProcess::start(as_user(site, user, &["worker"])).ready()
}

fn complaints(worker: &WorkerProcess) -> Vec<Value> {
    let mut lines = worker.lines();
    lines.retain(|line| line["level"] == "WARN" || line["level"] == "ERROR");
    lines
}

/// The line of docs/redis.md that makes this user.
fn documented(user: &str) -> String {
    let document = fs::read_to_string(root().join("docs/redis.md")).unwrap();
    let start = format!("ACL SETUSER {user} ");
    let line = document.lines().find(|line| line.starts_with(&start));
    line.unwrap_or_else(|| panic!("no line for {user}"))
        .to_owned()
}

#[test]
fn the_rights_in_the_document_are_enough() {
    let site = Site::new();
    for user in ["chicory-worker", "chicory-producer", "chicory-operator"] {
        add_user(&site, &documented(user));
    }
    let mut worker = worker(&site, "chicory-worker");
    let producer = |args: &[&str]| {
        let ran = run(&site, "chicory-producer", args);
        assert!(!ran.stderr.contains("WARN"), "{ran:?}");
        ran.ok().to_owned()
    };
    let operator = |args: &[&str]| {
        let ran = run(&site, "chicory-operator", args);
        assert!(!ran.stderr.contains("WARN"), "{ran:?}");
        ran.ok().to_owned()
    };
    assert_eq!(producer(&["enqueue", "demo.add", "1", "2", "--wait"]), "3");
    for action in ["return", "run"] {
        let given = [
            "enqueue",
            "demo.add",
            "1",
            "2",
            "--id",
            "given",
            "--on-duplicate",
            action,
        ];
        assert_eq!(producer(&[&given[..], &["--wait"]].concat()), "3");
    }
    let late = producer(&["enqueue", "demo.add", "1", "2", "--delay", "200ms"]);
    worker.line_about("done", &late);
    let flaky = producer(&["enqueue", "demo.flaky"]);
    worker.line_about("done", &flaky);
    assert_eq!(producer(&["result", &flaky, "--wait"]), "3");
    let dead = producer(&["enqueue", "demo.always-fails"]);
    worker.line_about("failed, and dead-lettered", &dead);

    assert!(operator(&["dlq", "list"]).contains(&dead));
    operator(&["dlq", "replay", &dead]);
    operator(&["queue", "list"]);
    operator(&["queue", "show"]);
    operator(&["workers"]);
    operator(&["modules", "list"]);
    operator(&["queue", "purge", "--yes"]);
    worker.stop();
    let complaints: Vec<_> = complaints(&worker)
        .into_iter()
        .filter(|line| line.get("task_id").is_none())
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Case Q1: Redis 7's default for a user is that it has no channels.
#[test]
fn a_user_without_channels_loses_nothing_and_is_told_once() {
    let site = Site::new();
    add_user(
        &site,
        "ACL SETUSER app on >PASSWORD ~chicory:* resetchannels +@all",
    );
    let mut worker = worker(&site, "app");
    let missing = worker.line("the user may not publish or subscribe");
    assert_eq!(
        missing["add_to_user"],
        "&chicory:* +publish +subscribe +unsubscribe +pubsub|numsub"
    );
    let enqueued = run(
        &site,
        "app",
        &["enqueue", "demo.add", "1", "2", "--delay", "100ms"],
    );
    assert!(enqueued.stderr.contains("&chicory:*"), "{enqueued:?}");
    assert_eq!(enqueued.stderr.matches("WARN").count(), 1, "{enqueued:?}");
    worker.line_about("done", enqueued.ok());
    let now = run(&site, "app", &["enqueue", "demo.flaky"]);
    assert_eq!(worker.line_about("done", now.ok())["attempt"], 3);
    let waited = run(&site, "app", &["enqueue", "demo.add", "2", "2", "--wait"]);
    assert_eq!(waited.ok(), "4");
    worker.stop();
    worker.read_to_the_end();
    assert_eq!(worker.count("done"), 3);
    assert_eq!(worker.count("the user may not publish or subscribe"), 1);
}

/// Case Q1: what was said to be refused had been queued, so that a second try doubled it.
#[test]
fn a_delayed_message_is_queued_once_without_channels() {
    let site = Site::new();
    add_user(
        &site,
        "ACL SETUSER app on >PASSWORD ~chicory:* resetchannels +@all -publish",
    );
    let ran = run(&site, "app", &["enqueue", "demo.noop", "--delay", "1h"]);
    ran.ok();
    let delayed: usize = site.redis.query(&["ZCARD", "chicory:delayed:default"]);
    assert_eq!(delayed, 1);
}

/// Case Q14: managed servers don't allow CLIENT.
#[test]
fn a_worker_without_the_command_client_fetches_and_drains() {
    let site = Site::new();
    add_user(
        &site,
        "ACL SETUSER app on >PASSWORD ~chicory:* resetchannels &chicory:* +@all -client",
    );
    let mut worker = worker(&site, "app");
    for _ in 0..3 {
        let id = site.enqueue(&["demo.add", "1", "2"]);
        worker.line_about("done", &id);
    }
    // A read of `block_ms`, which is 5 seconds, would hold up the drain for as long.
    let begun = Instant::now();
    worker.stop();
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    worker.read_to_the_end();
    assert!(complaints(&worker).is_empty(), "{:#?}", complaints(&worker));
}
