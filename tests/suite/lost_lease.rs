//! A task whose lease was lost, or may end soon, is stopped: it does not continue beside its successor.
//!
//! Must not look at what becomes of tasks whose worker is gone: kill.rs does.

use chicory_testing::{RedisServer, Site, WorkerProcess};
use nix::sys::signal::Signal;

const STOPPED: &str = "the lease was lost, and the task was stopped";

/// A site with short leases.
fn site(redis: RedisServer) -> Site {
    let site = Site::on(redis).set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1500");
    site.deploy("sleeping");
    site.deploy_with("infinite-loop", "[limits]\ntimeout = 600.0\n");
    site
}

/// A worker that was frozen when its lease ended; another one has reclaimed the task.
fn frozen_at(site: &Site, id: &str, first: &WorkerProcess) -> WorkerProcess {
    site.until_delivered();
    first.signal(Signal::SIGSTOP);
    let second = site.worker(&[]);
    second.line_about("reclaimed", id);
    second
}

/// Case Q16, at a task that waits: its wait is over by then, but it must not continue.
#[test]
fn q16_a_task_that_waits_stops_when_its_worker_was_frozen_beyond_its_lease() {
    let site = site(RedisServer::start());
    let first = site.worker(&[]);
    let id = site.enqueue(&["sleeping.sleep", "2000"]);
    let second = frozen_at(&site, &id, &first);
    second.line_about("done", &id);
    first.signal(Signal::SIGCONT);
    first.line_about(STOPPED, &id);
    assert_eq!(first.count("done"), 0);
    assert_eq!(site.wait_for(&id)["state"], "SUCCESS");
}

/// Case Q16, at a task that computes.
#[test]
fn q16_a_task_that_computes_stops_when_its_worker_was_frozen_beyond_its_lease() {
    let site = site(RedisServer::start());
    let first = site.worker(&[]);
    let id = site.enqueue(&["infinite-loop.spin"]);
    let second = frozen_at(&site, &id, &first);
    first.signal(Signal::SIGCONT);
    first.line_about(STOPPED, &id);
    assert_eq!(second.count(STOPPED), 0);
}

/// Case Q16, at a message that arrived while its worker was frozen: it must not start.
#[test]
fn q16_a_message_that_waited_for_a_frozen_worker_beyond_its_lease_does_not_start() {
    let site = site(RedisServer::start());
    let first = site.worker(&[]);
    let before = site.enqueue(&["demo.noop"]);
    first.line_about("done", &before);
    first.signal(Signal::SIGSTOP);
    let id = site.enqueue(&["sleeping.sleep", "1"]);
    // The server hands it to the worker that waits, although that is frozen.
    let mut second = frozen_at(&site, &id, &first);
    second.line_about("done", &id);
    second.stop();
    first.signal(Signal::SIGCONT);
    let next = site.enqueue(&["demo.noop"]);
    first.line_about("done", &next);
    assert_eq!(first.tasks("done"), [before, next]);
    assert_eq!(first.count("the lease was lost"), 0, "it has started");
}

/// Case Q16: `extend` says that the lease is lost.
#[test]
fn q16_a_task_whose_message_was_purged_stops() {
    let site = site(RedisServer::start());
    let worker = site.worker(&[]);
    let id = site.enqueue(&["sleeping.sleep", "600000"]);
    site.until_delivered();
    site.run(&["queue", "purge", "--yes"]).ok();
    worker.line_about(STOPPED, &id);
}

/// Case Q16: nobody says anything, since the server is away.
#[test]
fn q16_a_task_stops_before_its_lease_can_end_while_the_server_is_away() {
    let mut site = site(RedisServer::start_durable());
    let worker = site.worker(&[]);
    let id = site.enqueue(&["sleeping.sleep", "600000"]);
    site.until_delivered();
    site.redis.stop();
    worker.line("leases of running tasks were lost or could not be renewed in time");
    site.redis.start_again();
    worker.line_about("interrupted, and released", &id);
    site.until_delivered();
}
