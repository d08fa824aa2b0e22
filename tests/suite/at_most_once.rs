//! Tasks that run at most once, under workers that are killed: none runs twice, and what is lost had begun.
//!
//! Must not look at tasks that run at least once: kill.rs does.

use std::collections::HashSet;

use chicory_testing::{Site, WorkerProcess, assert_each_once, until};
use redis::Commands;
use serde_json::json;

use crate::batch::Batch;

const STARTED: &str = "acknowledged, and started";
/// Of each worker. With one, most of the tasks that it has fetched wait for their turn.
const THREADS: usize = 1;

/// Case Q17.
#[test]
fn q17_what_has_not_begun_when_a_worker_is_killed_runs_elsewhere() {
    kills(6, Batch { size: 400 });
}

/// Case Q17, in its full length.
#[test]
#[ignore = "takes a minute"]
fn q17_under_sixty_kills_no_task_runs_twice_and_none_is_lost_that_had_not_begun() {
    kills(60, Batch { size: 4000 });
}

fn kills(kills: usize, batch: Batch) {
    let site = Site::new()
        .set("CHICORY_DELIVERY_MODE", "at_most_once")
        .set("CHICORY_WORKER_LOG_LEVEL", "DEBUG")
        .set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1000");
    site.deploy("sleeping");
    batch.enqueue(&site, |_| json!({ "name": "sleeping.busy", "args": [5] }));
    let threads = THREADS.to_string();
    let start = || site.worker(&["--concurrency", "32", "--threads", &threads]);
    let mut worker = start();
    let mut workers = Vec::new();
    for kill in 1..=kills {
        // Each kill comes at another time of the work.
        let done = 1 + 3 * (kill % 7);
        until("a worker at work", || worker.count(STARTED) >= done);
        worker.kill();
        workers.push(std::mem::replace(&mut worker, start()));
    }
    Batch::until_empty(&site);
    let held = || {
        let pending: Vec<redis::Value> = site
            .connection()
            .xpending_count("chicory:stream:default", "chicory-workers", "-", "+", 1)
            .expect("the server answers");
        pending.len()
    };
    until("no lease", || held() == 0);
    worker.stop();
    workers.push(worker);
    assert_account(&site, &workers, batch, kills);
}

fn assert_account(site: &Site, workers: &[WorkerProcess], batch: Batch, kills: usize) {
    workers.iter().for_each(WorkerProcess::read_to_the_end);
    let begun: Vec<_> = workers.iter().flat_map(|one| one.tasks(STARTED)).collect();
    assert_each_once(&begun);
    let begun: HashSet<_> = begun.into_iter().collect();
    let mut redis = site.connection();
    let keys: Vec<_> = (0..batch.size)
        .map(|number| format!("chicory:result:{}", Batch::id(number)))
        .collect();
    let results: Vec<Option<String>> = redis.mget(keys).expect("the server answers");
    let ids = (0..batch.size).map(Batch::id);
    let lost = ids.zip(results).filter(|(_, result)| result.is_none());
    let lost: Vec<_> = lost.map(|(id, _)| id).collect();
    let unbegun = lost.iter().filter(|id| !begun.contains(*id)).count();
    println!(
        "{kills} kills: {} lost, {unbegun} of them had not begun",
        lost.len()
    );
    assert!(!lost.is_empty(), "no kill met a task at work");
    // A kill may fall between the server's acknowledgement and the first instruction, at most once for each thread.
    assert!(
        unbegun <= kills * THREADS / 2,
        "{unbegun} of {lost:?} had not begun"
    );
}
