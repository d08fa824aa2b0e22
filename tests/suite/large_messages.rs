//! Messages too large for any worker, put into the queue by hand: bounded, named, and no harm to others.
//!
//! Speaks to Redis as any client would. Must not use the queue's own library.

use chicory_testing::Site;
use serde_json::{Value, json};

/// A worker that has nothing to do takes some 60 MiB, and one message may be in memory a few times.
const BOUND: u64 = 768 << 20;

fn add(site: &Site, id: &str, data: &str) {
    redis::cmd("XADD")
        .arg(&["chicory:stream:default", "*", "task_id", id, "data", data])
        .exec(&mut site.connection())
        .unwrap();
}

/// `{"id":…,"name":"demo.add","args":[0,0,…]}` of about this size.
fn zeros(id: &str, bytes: usize) -> String {
    let args = "0,".repeat(bytes / 2);
    format!(r#"{{"id":"{id}","name":"demo.add","args":[{args}0]}}"#)
}

fn letter(site: &Site, id: &str) -> Value {
    site.run(&["dlq", "show", id, "--json"]).json()
}

/// Case M4: raw entries of 60 MB and of 20 MB, and arguments of 16 MB in base64.
#[test]
fn m4_messages_of_tens_of_megabytes_are_bounded() {
    let site = Site::new();
    site.deploy("thumbnail");
    add(&site, "huge", &zeros("huge", 60_000_000));
    add(&site, "large", &zeros("large", 20_000_000));
    let picture = "A".repeat(16_000_000);
    let message = json!({"id": "picture", "name": "thumbnail.resize", "args": [picture, 10]});
    add(&site, "picture", &message.to_string());
    let neighbour = site.enqueue(&["demo.add", "1", "2"]);
    let worker = site.worker(&["--max-memory", "256MiB"]);
    for id in ["huge", "large", "picture"] {
        worker.line_about("failed, and dead-lettered", id);
    }
    assert_eq!(site.wait_for(&neighbour)["result"], 3);

    let huge = letter(&site, "huge");
    let error = huge["error"].as_str().unwrap();
    assert!(
        error.starts_with(
            "UnreadableMessage: a message of 60000042 bytes, where at most 33554432 are allowed"
        ),
        "{error}"
    );
    let kept = huge["data"].as_str().unwrap();
    assert!(
        kept.len() == 1024 && kept.starts_with(r#"{"id":"huge""#),
        "{kept}"
    );
    let error = letter(&site, "large")["error"].to_string();
    assert!(
        error.contains("arguments: larger than the limit"),
        "{error}"
    );
    let error = letter(&site, "picture")["error"].to_string();
    assert!(error.contains("unreadable"), "{error}");
    let state: String = site.redis.query(&["GET", "chicory:state:huge"]);
    assert_eq!(state, "FAILURE");

    let peak = worker.peak_memory();
    assert!(peak < BOUND, "the worker has taken {peak} bytes");
}

/// Case M4: many messages that are each within the limit are taken a few at a time, and all of them run.
#[test]
fn m4_a_fetch_is_bounded_by_bytes() {
    const COUNT: usize = 40;
    let site = Site::new();
    let text = "x".repeat(8_000_000);
    for number in 0..COUNT {
        let id = format!("m{number}");
        let message = json!({"id": id, "name": "demo.nobody", "kwargs": {"text": text}});
        add(&site, &id, &message.to_string());
    }
    let worker = site.worker(&[]);
    for number in 0..COUNT {
        worker.line_about("failed, and dead-lettered", &format!("m{number}"));
    }
    let peak = worker.peak_memory();
    assert!(peak < BOUND, "the worker has taken {peak} bytes");
}

/// Case M4: a message that was being run when its worker was killed, and is too large, is reclaimed without being
/// read.
#[test]
fn m4_a_large_message_of_a_dead_worker_is_reclaimed_by_its_size() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "100");
    add(&site, "huge", &zeros("huge", 60_000_000));
    redis::cmd("XGROUP")
        .arg(&["CREATE", "chicory:stream:default", "chicory-workers", "0"])
        .exec(&mut site.connection())
        .unwrap();
    site.read_as("dead", 1);
    let worker = site.worker(&[]);
    worker.line_about("failed, and dead-lettered", "huge");
    let error = letter(&site, "huge")["error"].to_string();
    assert!(error.contains("60000042 bytes"), "{error}");
    let peak = worker.peak_memory();
    assert!(peak < BOUND, "the worker has taken {peak} bytes");
}

/// Case M4: what a worker would not read can't be enqueued.
#[test]
fn m4_a_message_that_is_too_large_is_not_enqueued() {
    let site = Site::new();
    let message = json!({"name": "demo.nobody", "kwargs": {"text": "x".repeat(34_000_000)}});
    let lines = site.write("large.jsonl", message.to_string());
    let file = lines.to_str().unwrap();
    let ran = site.run(&["enqueue", "--file", file, "--validation", "none"]);
    let said = ran.fails(2).to_owned();
    assert!(
        said.contains("where at most 33554432 are allowed"),
        "{said}"
    );
    let queued: usize = site.redis.query(&["XLEN", "chicory:stream:default"]);
    assert_eq!(queued, 0);
}
