//! Queues among millions of other keys, and long queues: what operators ask takes as long as its answer.
//!
//! Must not assert on time: the server's own counts say what it had to do.

use chicory_testing::Site;
use serde_json::{Value, json};

/// How often the server has run a command since its counts were reset.
fn calls(site: &Site, command: &str) -> u64 {
    let stats: String = site.redis.query(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or(0)
}

fn queues(site: &Site, flags: &[&str]) -> Vec<String> {
    let args = [&["queue", "list", "--json"], flags].concat();
    let rows = site.run(&args).json();
    let rows = rows.as_array().expect("rows");
    let name = |row: &Value| row["queue"].as_str().expect("a name").to_owned();
    rows.iter().map(name).collect()
}

fn by_hand(site: &Site, queue: &str, id: &str) {
    let message = json!({ "id": id, "name": "demo.noop" }).to_string();
    let key = format!("chicory:stream:{queue}");
    let _: String = site
        .redis
        .query(&["XADD", &key, "*", "data", &message, "task_id", id]);
}

/// Case Q15: the list of queues beside many other keys.
#[test]
fn q15_queues_are_listed_without_reading_through_other_keys() {
    let site = Site::new();
    let fill = "for n = 1, 200000 do redis.call('SET', 'foreign:' .. n, n) end";
    site.redis.query::<()>(&["EVAL", fill, "0"]);
    for queue in ["mail", "images"] {
        site.enqueue(&["demo.noop", "--queue", queue]);
    }
    let _: String = site.redis.query(&["CONFIG", "RESETSTAT"]);
    assert_eq!(queues(&site, &[]), ["images", "mail"]);
    assert_eq!((calls(&site, "scan"), calls(&site, "keys")), (0, 0));
    assert_eq!(calls(&site, "exists"), 2);
}

/// Case Q15: a queue that another program fills by hand is listed once a worker serves it, or once somebody looks for it.
#[test]
fn q15_a_queue_filled_by_hand_is_found() {
    let site = Site::new();
    by_hand(&site, "served", "a");
    by_hand(&site, "orphan", "b");
    assert!(site.run(&["queue", "list"]).ok().contains("--scan"));
    let worker = site.worker(&["--queue", "served"]);
    worker.line_about("done", "a");
    assert_eq!(queues(&site, &[]), ["served"]);
    assert_eq!(queues(&site, &["--scan"]), ["orphan", "served"]);
    assert_eq!(queues(&site, &[]), ["orphan", "served"]);
    site.run(&["queue", "purge", "orphan", "--yes"]).ok();
    assert_eq!(queues(&site, &[]), ["served"]);
}

/// Case Q15: the age of the oldest message that nobody has fetched.
#[test]
fn q15_the_age_of_the_oldest_ready_message_is_shown() {
    let site = Site::new();
    let old = json!({ "id": "old", "name": "demo.noop" }).to_string();
    let _: String = site.redis.query(&[
        "XADD",
        "chicory:stream:default",
        "1700000000000-0",
        "data",
        &old,
    ]);
    site.enqueue(&["demo.noop", "--queue", "late", "--delay", "1h"]);
    site.run(&["queue", "list", "--scan"]).ok();
    let rows = site.run(&["queue", "list", "--json"]).json();
    let year = 365 * 24 * 3600 * 1000;
    assert!(rows[0]["oldest_ready_ms"].as_u64().expect("an age") > year);
    assert_eq!(rows[1]["oldest_ready_ms"], Value::Null);
    let shown = site.run(&["queue", "list"]).ok().to_owned();
    assert!(
        shown.contains("OLDEST") && shown.contains("year"),
        "{shown}"
    );
}

/// Case Q15: a long queue is emptied in steps, so that no other client waits for long.
#[test]
fn q15_a_purge_goes_in_steps() {
    let site = Site::new();
    let line =
        |number: usize| json!({ "name": "demo.noop", "args": [], "id": format!("m{number}") });
    let lines: Vec<String> = (0..20_000).map(|number| line(number).to_string()).collect();
    let input = lines.join("\n");
    site.run_with_input(&["enqueue", "--file", "-"], input.as_bytes())
        .ok();
    let _: String = site.redis.query(&["CONFIG", "RESETSTAT"]);
    let purged = site.run(&["queue", "purge", "--yes", "--json"]).json();
    assert_eq!(purged["removed"], 20_000);
    assert!(calls(&site, "xtrim") >= 4, "in steps of 5,000");
}

/// Case Q15: a dead letter is found by its task's id without reading others, and the newest are listed first.
#[test]
fn q15_a_dead_letter_is_found_by_its_task() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let mut ids = Vec::new();
    for number in 0..3 {
        let id = site.enqueue(&["demo.gives-up", &format!("reason {number}")]);
        worker.line_about("failed, and dead-lettered", &id);
        ids.push(id);
    }
    let _: String = site.redis.query(&["CONFIG", "RESETSTAT"]);
    let shown = site.run(&["dlq", "show", &ids[0], "--json"]).json();
    assert_eq!(shown["task_id"], ids[0].as_str());
    assert_eq!((calls(&site, "xrange"), calls(&site, "xrevrange")), (1, 0));
    let listed = |flags: &[&str]| {
        let rows = site
            .run(&[&["dlq", "list", "--json"], flags].concat())
            .json();
        let rows = rows.as_array().expect("rows").clone();
        let id = |row: &Value| row["task_id"].as_str().expect("an id").to_owned();
        (rows.iter().map(id).collect::<Vec<_>>(), rows)
    };
    let (newest, rows) = listed(&["--newest", "--count", "2"]);
    assert_eq!(newest, [ids[2].clone(), ids[1].clone()]);
    let last = rows[1]["id"].as_str().expect("an id");
    assert_eq!(listed(&["--newest", "--after", last]).0, ids[..1]);
    assert_eq!(listed(&[]).0, ids);
}
