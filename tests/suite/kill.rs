//! Workers killed with SIGKILL while they work: nothing is lost, and only tasks in flight at a kill
//! run again.
//!
//! Must not ask a worker to stop: a crash doesn't.

use std::collections::{BTreeSet, HashSet};

use chicory_testing::{Site, WorkerProcess, assert_each_once, until, until_some};
use redis::Commands;
use redis::streams::{StreamPendingCountReply, StreamRangeReply};
use serde_json::json;

use crate::batch::Batch;

const STREAM: &str = "chicory:stream:default";
const GROUP: &str = "chicory-workers";

/// Numbers that look random and are the same in each run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("bounds are small");
        usize::try_from((word ^ (word >> 31)) % bound).expect("it is below the bound")
    }
}

#[test]
fn ten_kills_lose_nothing_of_twenty_thousand_tasks() {
    const KILLS: usize = 10;
    let batch = Batch { size: 20_000 };
    let site = Site::new().set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1000");
    batch.enqueue_additions(&site, &json!({}));
    let start = || site.starting_worker(&["--concurrency", "64"]);
    let mut workers = vec![start(), start()];
    let mut buried = Vec::new();
    let mut in_flight = HashSet::new();
    let mut dice = Dice(20_000);
    let step = batch.size / (KILLS + 1);
    for kill in 1..=KILLS {
        let left = batch.size - kill * step + dice.below(step / 2);
        let victim = until_some("a worker at work, at the time to kill it", || {
            let length: usize = site.connection().xlen(STREAM).unwrap();
            let victim = dice.below(workers.len());
            let at_work = length <= left && workers[victim].count("done") > 0;
            // Nothing is left for workers that have just started, where this thread had to wait for long.
            (at_work || length == 0).then_some(at_work.then_some(victim))
        });
        let Some(victim) = victim else {
            assert!(kill > KILLS / 2, "all was done after {} kills", kill - 1);
            break;
        };
        workers[victim].kill();
        in_flight.extend(held_by(&site, workers[victim].pid()));
        buried.push(std::mem::replace(&mut workers[victim], start()));
    }
    Batch::until_empty(&site);
    batch.assert_all_added(&site);
    workers.iter_mut().for_each(WorkerProcess::stop);
    workers.append(&mut buried);
    workers.iter().for_each(WorkerProcess::read_to_the_end);

    let done: Vec<_> = workers
        .iter()
        .flat_map(|worker| worker.tasks("done"))
        .collect();
    assert_each_once(&done);
    let taken_over: Vec<_> = workers
        .iter()
        .flat_map(|worker| worker.tasks("reclaimed"))
        .collect();
    let others: Vec<_> = taken_over
        .iter()
        .filter(|id| !in_flight.contains(*id))
        .collect();
    assert!(
        others.is_empty(),
        "taken over, but not in flight at a kill: {others:?}"
    );
    assert!(
        !taken_over.is_empty(),
        "no kill met a worker with tasks in flight"
    );
}

/// The tasks that a worker which has just been killed holds. Redis may still be reading what it sent:
/// looked at until two looks agree, and what was seen in any of them counts.
fn held_by(site: &Site, pid: u32) -> BTreeSet<String> {
    let mut redis = site.connection();
    let of_process = format!("-{pid}-");
    let consumers: redis::streams::StreamInfoConsumersReply =
        redis.xinfo_consumers(STREAM, GROUP).unwrap();
    let consumer = consumers
        .consumers
        .into_iter()
        .map(|consumer| consumer.name)
        .find(|name| name.contains(&of_process));
    let consumer = consumer.expect("a worker's consumer carries its process id");
    let mut all = BTreeSet::new();
    let mut before = None;
    loop {
        let pending: StreamPendingCountReply = redis
            .xpending_consumer_count(STREAM, GROUP, "-", "+", 10_000, &consumer)
            .unwrap();
        let entries: BTreeSet<_> = pending.ids.into_iter().map(|entry| entry.id).collect();
        all.extend(
            entries
                .iter()
                .filter_map(|entry| task_of(&mut redis, entry)),
        );
        if before.as_ref() == Some(&entries) {
            return all;
        }
        before = Some(entries);
    }
}

/// The task of an entry; `None` if it has been settled since.
fn task_of(redis: &mut redis::Connection, entry: &str) -> Option<String> {
    let found: StreamRangeReply = redis.xrange(STREAM, entry, entry).unwrap();
    found.ids.first()?.get("task_id")
}

/// A task that kills its worker each time is given up on, not retried endlessly.
#[test]
fn a_message_that_kills_its_workers_is_given_up_on() {
    let site = Site::new()
        .set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "300")
        .set("CHICORY_WORKER_MAX_DELIVERIES", "2");
    site.deploy_with("infinite-loop", "[limits]\ntimeout = 600.0\n");
    let id = site.enqueue(&["infinite-loop.spin"]);
    for deliveries in 1..=2 {
        let mut worker = site.starting_worker(&[]);
        let mut redis = site.connection();
        until("the task at work", || {
            times_delivered(&mut redis) == Some(deliveries)
        });
        worker.kill();
    }
    let worker = site.worker(&[]);
    let line = worker.line_about("failed, and dead-lettered", &id);
    let error = line["error"].as_str().unwrap();
    assert!(
        error.starts_with("LeaseExpired: ") && error.contains("max_deliveries"),
        "{error}"
    );
    assert_eq!(site.wait_for(&id)["state"], "FAILURE");
    let shown = site.run(&["dlq", "show", &id, "--json"]).json();
    assert_eq!(
        (&shown["error"], &shown["retry_count"]),
        (&error.into(), &0.into())
    );
}

fn times_delivered(redis: &mut redis::Connection) -> Option<usize> {
    let pending: StreamPendingCountReply = redis.xpending_count(STREAM, GROUP, "-", "+", 1).ok()?;
    pending.ids.first().map(|entry| entry.times_delivered)
}
