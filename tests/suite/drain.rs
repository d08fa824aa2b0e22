//! A worker that is asked to stop: it finishes or releases its running tasks, and charges no attempt.
//!
//! Must not kill workers: kill.rs does.

use std::time::{Duration, Instant};

use chicory_testing::{Site, WorkerProcess, assert_each_once, until};
use nix::sys::signal::Signal;
use redis::Commands;
use redis::streams::StreamInfoConsumersReply;
use serde_json::json;

use crate::batch::Batch;

const STREAM: &str = "chicory:stream:default";

fn pending(site: &Site) -> usize {
    let reply: redis::RedisResult<redis::streams::StreamPendingReply> =
        site.connection().xpending(STREAM, "chicory-workers");
    reply.map_or(0, |reply| reply.count())
}

#[test]
fn under_load_what_is_at_work_ends_and_another_worker_does_the_rest() {
    let batch = Batch { size: 8_000 };
    let site = Site::new();
    batch.enqueue_additions(&site, &json!({}));
    let mut first = site.starting_worker(&[]);
    first.line("done");
    first.signal(Signal::SIGTERM);
    assert!(first.ended().success());
    first.read_to_the_end();
    assert_eq!(pending(&site), 0, "nothing is left to a lease's end");
    assert_eq!(first.count("reclaimed"), 0);

    let mut second = site.worker(&[]);
    Batch::until_empty(&site);
    second.stop();
    second.read_to_the_end();
    batch.assert_all_added(&site);
    let done = [first.tasks("done"), second.tasks("done")].concat();
    assert_eq!(done.len(), batch.size);
    assert_each_once(&done);
    assert!(
        second
            .lines()
            .iter()
            .all(|line| line["message"] != "done" || line["attempt"] == 1)
    );
}

/// Starts a worker, and four tasks on it that sleep for so long.
fn at_work(site: &Site, milliseconds: u32, flags: &[&str]) -> WorkerProcess {
    site.deploy("sleeping");
    Batch { size: 4 }.enqueue(
        site,
        |_| json!({ "name": "sleeping.sleep", "args": [milliseconds] }),
    );
    let worker = site.worker(flags);
    until("all four at work", || pending(site) == 4);
    worker
}

#[test]
fn shutdown_timeout_gives_back_what_does_not_end_without_a_charge() {
    for (variable, flags) in [("0.2", &[][..]), ("", &["--shutdown-timeout", "0.2"])] {
        let site = Site::new().set("CHICORY_WORKER_SHUTDOWN_TIMEOUT", variable);
        let mut first = at_work(&site, 2_500, flags);
        first.signal(Signal::SIGTERM);
        assert!(first.ended().success());
        assert_eq!(first.count("done"), 0);
        assert_eq!(pending(&site), 0);
        assert_eq!(site.connection().xlen::<_, usize>(STREAM).unwrap(), 4);

        let second = site.worker(&[]);
        for number in 0..4 {
            assert_eq!(second.line_about("done", &Batch::id(number))["attempt"], 1);
        }
        assert_eq!(
            second.count("reclaimed"),
            0,
            "a lease that was given back needs not expire"
        );
    }
}

#[test]
fn a_second_signal_stops_at_once_and_gives_back() {
    for (first, second) in [
        (Signal::SIGTERM, Signal::SIGTERM),
        (Signal::SIGINT, Signal::SIGINT),
    ] {
        let site = Site::new().set("CHICORY_WORKER_SHUTDOWN_TIMEOUT", "600");
        let mut worker = at_work(&site, 600_000, &[]);
        worker.signal(first);
        worker.line("draining");
        worker.signal(second);
        let status = worker.ended();
        assert!(
            status.code().is_some(),
            "it ends by itself, not by the signal: {status}"
        );
        assert_eq!(pending(&site), 0);
        assert_eq!(site.connection().xlen::<_, usize>(STREAM).unwrap(), 4);
        let workers: Vec<String> = site.connection().smembers("chicory:workers").unwrap();
        assert!(workers.is_empty(), "{workers:?}");
    }
}

#[test]
fn an_idle_worker_stops_without_waiting_for_its_block() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_BLOCK_MS", "3600000");
    let mut worker = site.worker(&[]);
    let id = site.enqueue(&["demo.noop"]);
    worker.line_about("done", &id);
    worker.stop();
}

/// Whoever read the log may be gone: the worker continues, and still stops when it is asked to.
#[test]
fn a_worker_outlives_the_reader_of_its_log() {
    let site = Site::new();
    let mut worker = WorkerProcess::start_unread(site.command(&["worker"]));
    for _ in 0..2 {
        assert_eq!(site.call(&["demo.noop"])["state"], "SUCCESS");
    }
    worker.stop();
}

/// At most once: what was acknowledged may not run again, and its result says why it is not there.
#[test]
fn at_most_once_says_that_it_was_cancelled() {
    let site = Site::new().set("CHICORY_DELIVERY_MODE", "at_most_once");
    site.deploy("sleeping");
    let id = site.enqueue(&["sleeping.sleep", "600000"]);
    let mut worker = site.worker(&["--shutdown-timeout", "0.1"]);
    site.until_started(&id);
    worker.stop();
    let result = site.wait_for(&id);
    assert_eq!(result["state"], "FAILURE");
    assert!(
        result["error"].as_str().unwrap().starts_with("Cancelled: "),
        "{result}"
    );
}

/// Case Q18: the server is frozen, so nothing can be settled. The last line says so.
#[test]
fn q18_a_worker_stops_in_time_although_its_server_is_frozen() {
    let site = Site::new();
    let mut worker = at_work(&site, 600_000, &["--shutdown-timeout", "1"]);
    site.redis
        .query::<()>(&["CLIENT", "PAUSE", "600000", "ALL"]);
    let asked = Instant::now();
    worker.signal(Signal::SIGTERM);
    assert!(worker.ended().success());
    let took = asked.elapsed();
    worker.read_to_the_end();
    let line = worker.line("stopped; the broker did not take what became of some tasks");
    assert_eq!(
        (&line["released"], &line["unsettled"]),
        (&json!(0), &json!(4))
    );
    // The timeout, five seconds, and what a busy machine takes.
    assert!(took < Duration::from_secs(1 + 5 + 2), "{took:?}");
}

/// Case Q18: SIGHUP drains. A worker that has stopped leaves neither heartbeats nor consumers.
#[test]
fn q18_sighup_drains_and_no_consumer_stays() {
    let site = Site::new();
    let mut worker = at_work(&site, 1_000, &["--queue", "default", "--queue", "other"]);
    worker.signal(Signal::SIGHUP);
    assert!(worker.ended().success());
    worker.read_to_the_end();
    assert_eq!(worker.count("done"), 4);
    let line = worker.line("stopped");
    assert_eq!(
        [&line["processed"], &line["released"], &line["unsettled"]],
        [&json!(4), &json!(0), &json!(0)]
    );
    let mut redis = site.connection();
    for queue in ["default", "other"] {
        let consumers: StreamInfoConsumersReply = redis
            .xinfo_consumers(format!("chicory:stream:{queue}"), "chicory-workers")
            .unwrap();
        assert_eq!(consumers.consumers.len(), 0, "{queue}");
    }
}
