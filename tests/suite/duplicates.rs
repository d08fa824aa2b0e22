//! Messages with ids of the caller's: none is run twice by accident, and a replay is waited for anew.
//!
//! Must not know how a queue remembers ids.

use chicory_testing::{Site, until};
use serde_json::json;

fn lines(count: usize) -> String {
    let line =
        |number| json!({ "id": format!("m{number}"), "name": "demo.add", "args": [number, 1] });
    let lines: Vec<String> = (0..count).map(|number| line(number).to_string()).collect();
    lines.join("\n")
}

/// Case Q10: an id that is queued, or has a result, is not enqueued again unless that is asked for.
#[test]
fn q10_a_used_id_is_answered_refused_or_run_again() {
    let site = Site::new();
    let add =
        |flags: &[&str]| site.run(&[&["enqueue", "demo.add", "--id", "mine"], flags].concat());
    assert_eq!(add(&["1", "2", "--json"]).json()["present"], false);
    assert_eq!(add(&["3", "4", "--json"]).json()["present"], true);
    let refused = add(&["3", "4", "--on-duplicate", "reject"]);
    assert!(refused.fails(1).contains("DuplicateId"));
    let queued = || site.run(&["queue", "show", "--json"]).json()["size"].clone();
    assert_eq!(queued(), 1);
    let worker = site.worker(&[]);
    worker.line_about("done", "mine");
    // Its result is there: nothing new is run, and that is said.
    let answered = add(&["3", "4", "--wait"]);
    assert_eq!(answered.ok(), "3");
    assert!(answered.stderr.contains("already"), "{}", answered.stderr);
    let again = add(&["3", "4", "--wait", "--on-duplicate", "run"]);
    assert_eq!(again.ok(), "7");
    // The line comes after the result.
    until("both runs are said to be done", || {
        worker.count("done") == 2
    });
}

/// Case Q10: a bulk file that was cut off is run again as it is.
#[test]
fn q10_a_file_that_was_cut_off_is_run_again_without_doubling() {
    let site = Site::new();
    let all = lines(2_500);
    let file = site.write("all.jsonl", &all);
    let file = file.to_str().expect("a path");
    let part: Vec<&str> = all.lines().take(1_300).collect();
    let cut = site.write("cut.jsonl", part.join("\n"));
    let cut = cut.to_str().expect("a path");
    site.run(&["enqueue", "--file", cut]).ok();
    let second = site.run(&["enqueue", "--file", file, "--json"]).json();
    assert_eq!(
        (&second["enqueued"], &second["present"]),
        (&json!(1_200), &json!(1_300))
    );
    let third = site.run(&["enqueue", "--file", file]);
    assert!(third.ok().contains("2500 were there already"));
    let shown = site.run(&["queue", "show", "--json"]).json();
    assert_eq!(shown["size"], 2_500);
    let refused = site.run(&["enqueue", "--file", file, "--on-duplicate", "reject"]);
    assert!(refused.fails(1).contains("999 others"));
}

/// Case Q10: a purge leaves no id that keeps a message out, also if somebody waited for it.
#[test]
fn q10_an_id_that_was_purged_is_new() {
    let site = Site::new();
    let add = |flags: &[&str]| {
        site.run(&[&["enqueue", "demo.add", "1", "2", "--id", "mine"], flags].concat())
    };
    let waited = add(&["--wait", "--timeout", "0.1"]);
    waited.fails(4);
    site.run(&["queue", "purge", "--yes"]).ok();
    assert!(site.run(&["result", "mine"]).fails(1).contains("Purged"));
    assert_eq!(add(&["--json"]).json()["present"], false);
}

/// Case Q10: whoever waits after a replay gets the new end.
#[test]
fn q10_a_replay_clears_the_old_end() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let id = site.enqueue(&["demo.gives-up", "first"]);
    worker.line_about("failed, and dead-lettered", &id);
    assert!(site.run(&["result", &id]).fails(1).contains("first"));
    drop(worker);
    site.run(&["dlq", "replay", &id]).ok();
    let waiting = site.run(&["result", &id, "--wait", "--timeout", "0.2"]);
    waiting.fails(4);
}
