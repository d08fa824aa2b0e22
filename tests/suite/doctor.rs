//! `chicory doctor`, and the warnings of other commands about a server that may lose messages.
//!
//! Must not know how the server is asked.

use chicory_testing::{RedisServer, Site};
use serde_json::Value;

fn findings(site: &Site) -> (Option<i32>, Vec<Value>) {
    let ran = site.run(&["doctor", "--no-tools", "--json"]);
    let report = chicory_testing::json(&ran.stdout);
    let findings = report["findings"].as_array().expect("a list").clone();
    assert_eq!(report["ok"], ran.code == Some(0));
    (ran.code, findings)
}

fn severity<'a>(findings: &'a [Value], subject: &str) -> &'a str {
    let found = findings.iter().find(|found| found["subject"] == subject);
    found
        .and_then(|found| found["severity"].as_str())
        .unwrap_or("missing")
}

#[test]
fn a_healthy_server_is_found_healthy() {
    let site = Site::on(RedisServer::start_durable());
    let (code, found) = findings(&site);
    assert_eq!(code, Some(0), "{found:#?}");
    for subject in [
        "broker",
        "server",
        "eviction",
        "replication",
        "clock",
        "rights",
        "modules",
    ] {
        assert_eq!(severity(&found, subject), "ok", "{subject}: {found:#?}");
    }
    let shown = site.run(&["doctor"]);
    assert!(
        shown.ok().lines().all(|line| line.chars().count() <= 80),
        "{shown:?}"
    );
    let site = site.set("CHICORY_BROKER", "sqlite:q.db");
    let (code, found) = findings(&site);
    assert_eq!(
        (code, severity(&found, "rights")),
        (Some(0), "ok"),
        "{found:#?}"
    );
}

/// Case Q5: a server that evicts keys loses messages without a word.
#[test]
fn a_server_that_evicts_messages_is_an_error() {
    let site = Site::on(RedisServer::start_with(&[
        "--maxmemory-policy",
        "allkeys-lru",
    ]));
    let (code, found) = findings(&site);
    assert_eq!(
        (code, severity(&found, "eviction")),
        (Some(1), "error"),
        "{found:#?}"
    );
    let enqueued = site.run(&["enqueue", "demo.noop"]);
    enqueued.ok();
    let warning = "maxmemory-policy is allkeys-lru";
    assert_eq!(enqueued.stderr.matches(warning).count(), 1, "{enqueued:?}");
    site.write("one.jsonl", "{\"name\": \"demo.noop\"}\n");
    let enqueued = site.run(&["enqueue", "--file", "one.jsonl"]);
    enqueued.ok();
    assert!(enqueued.stderr.contains(warning), "{enqueued:?}");
    let worker = site.worker(&[]);
    assert_eq!(worker.count("eviction: maxmemory-policy is allkeys-lru"), 1);
}

#[test]
fn a_server_that_does_not_answer_is_an_error() {
    let mut site = Site::new();
    site.redis.stop();
    let (code, found) = findings(&site);
    assert_eq!(
        (code, severity(&found, "broker")),
        (Some(1), "error"),
        "{found:#?}"
    );
}
