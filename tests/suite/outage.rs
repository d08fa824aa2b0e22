//! Redis goes away in the middle of a batch and comes back, with its append-only file or empty.
//!
//! Must not touch workers: they have to recover by themselves.

use chicory_testing::{RedisServer, Site, WorkerProcess, until};
use serde_json::json;

use crate::batch::Batch;

const LOST: &str = "the broker can't be used";
const BACK: &str = "the broker is back";

/// Lines that complain, about anything.
fn complaints(worker: &WorkerProcess) -> Vec<String> {
    let lines = worker.lines().into_iter();
    let loud = lines.filter(|line| line["level"] == "WARN" || line["level"] == "ERROR");
    loud.map(|line| line.to_string()).collect()
}

#[test]
fn a_server_that_keeps_its_file_loses_nothing() {
    let batch = Batch { size: 5_000 };
    let mut site = Site::on(RedisServer::start_durable())
        .set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "2000");
    batch.enqueue_additions(&site, &json!({}));
    let worker = site.worker(&["--concurrency", "64"]);
    worker.line_where("the first hundreds of tasks done", |line| {
        line["message"] == "done" && line["task_id"] == Batch::id(700)
    });
    site.redis.stop();
    worker.line(LOST);
    site.redis.start_again();
    Batch::until_empty(&site);
    batch.assert_all_added(&site);
    let about_tasks = ["the lease was lost", "reclaimed"]
        .map(|message| worker.count(message))
        .iter()
        .sum::<usize>();
    let complaints = complaints(&worker);
    assert!(
        complaints.len() - about_tasks <= 2,
        "said once, not many times: {complaints:#?}"
    );
}

#[test]
fn a_server_that_comes_back_empty_gets_new_work_done() {
    let mut site = Site::new();
    let worker = site.worker(&[]);
    let before = site.enqueue(&["demo.noop"]);
    worker.line_about("done", &before);
    for outage in 1..=2 {
        site.redis.stop();
        until("another outage", || worker.count(LOST) == outage);
        site.redis.start_again();
        let id = site.enqueue(&["demo.add", "1", "2"]);
        worker.line_about("done", &id);
        until("the end of the outage", || worker.count(BACK) == outage);
    }
    let complaints = complaints(&worker);
    assert!(
        complaints.len() <= 4,
        "said once, not many times: {complaints:#?}"
    );
}

/// A task that runs when the server goes away is finished, and settled once the server is back.
#[test]
fn a_task_at_work_survives_the_outage() {
    let mut site = Site::on(RedisServer::start_durable());
    site.deploy("sleeping");
    let worker = site.worker(&[]);
    let id = site.enqueue(&["sleeping.sleep", "1200"]);
    site.until_delivered();
    site.redis.stop();
    worker.line(LOST);
    site.redis.start_again();
    worker.line_about("done", &id);
    assert_eq!(site.wait_for(&id)["state"], "SUCCESS");
    assert_eq!(worker.tasks("done"), [id]);
}

/// A worker that starts before its server waits for it.
#[test]
fn a_worker_waits_for_its_server() {
    let mut site = Site::new();
    site.redis.stop();
    let worker = site.starting_worker(&[]);
    worker.line("can't reach the broker yet");
    site.redis.start_again();
    let worker = worker.ready();
    let id = site.enqueue(&["demo.noop"]);
    worker.line_about("done", &id);
    assert_eq!(worker.count("can't reach the broker yet"), 1);
}

/// The server loses its scripts and its group while it runs.
#[test]
fn scripts_and_groups_are_made_again() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let run = || {
        let id = site.enqueue(&["demo.noop"]);
        worker.line_about("done", &id);
    };
    run();
    site.redis.query::<()>(&["SCRIPT", "FLUSH"]);
    run();
    let destroy = [
        "XGROUP",
        "DESTROY",
        "chicory:stream:default",
        "chicory-workers",
    ];
    // Case Q21: said once, and healed.
    let gone = "a queue's consumer group was gone";
    assert_eq!(worker.count(gone), 0);
    site.redis.query::<()>(&destroy);
    run();
    until("the loss to be said", || worker.count(gone) == 1);
    site.redis.query::<()>(&["FLUSHALL"]);
    run();
    until("the second loss to be said", || worker.count(gone) == 2);
}
