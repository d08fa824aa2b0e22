//! A worker of many queues, and what workers leave in them.
//!
//! Must not look at the order among queues with a backlog: fairness.rs does.

use std::time::{Duration, Instant};

use chicory_testing::{Site, until};
use redis::Commands;
use redis::streams::StreamInfoConsumersReply;
use serde_json::json;

const GROUP: &str = "chicory-workers";

fn consumers(site: &Site, queue: &str) -> Vec<String> {
    let stream = format!("chicory:stream:{queue}");
    let reply: redis::RedisResult<StreamInfoConsumersReply> =
        site.connection().xinfo_consumers(stream, GROUP);
    let consumers = reply.map_or(Vec::new(), |reply| reply.consumers);
    consumers.into_iter().map(|one| one.name).collect()
}

/// Case Q23: a task on one of 300 queues that are all empty.
#[test]
fn q23_a_task_on_one_of_three_hundred_idle_queues_starts_at_once() {
    let queues: Vec<String> = (0..300).map(|number| format!("q{number}")).collect();
    let site = Site::new().set("CHICORY_WORKER_QUEUE", &queues.join(","));
    let _worker = site.worker(&[]);
    let mut redis = site.connection();
    let mut took: Vec<Duration> = (0..15)
        .map(|number| {
            let queue = &queues[number * 20 + 5];
            let id = format!("task-{number}");
            let message = json!({ "id": id, "name": "demo.noop" }).to_string();
            let stream = format!("chicory:stream:{queue}");
            let sent = Instant::now();
            let _: String = redis
                .xadd(stream, "*", &[("data", message), ("task_id", id.clone())])
                .unwrap();
            until("its end", || {
                redis
                    .exists(format!("chicory:result:{id}"))
                    .expect("the server answers")
            });
            sent.elapsed()
        })
        .collect();
    took.sort_unstable();
    // The middle one: on a busy machine some take longer.
    assert!(took[7] < Duration::from_millis(50), "{took:?}");
}

/// Case Q23: a worker that was killed leaves a consumer. The next worker removes it, once the heartbeat is gone and the
/// consumer holds nothing.
#[test]
fn q23_the_consumers_of_dead_workers_are_removed_by_the_next_worker() {
    let site = Site::new()
        .set("CHICORY_WORKER_HEARTBEAT_INTERVAL", "0.3")
        .set("CHICORY_WORKER_HEARTBEAT_TTL", "1")
        .set("CHICORY_WORKER_QUEUE", "default,other")
        .set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "2000");
    site.deploy("sleeping");
    let mut dying = site.worker(&[]);
    let id = site.enqueue(&["sleeping.sleep", "1500"]);
    site.until_delivered();
    dying.kill();
    let dead = consumers(&site, "default");
    assert_eq!(dead.len(), 1);
    let other = site.worker(&[]);
    other.line_about("done", &id);
    until("no consumer of the dead worker", || {
        ["default", "other"]
            .iter()
            .all(|queue| !consumers(&site, queue).contains(&dead[0]))
    });
    let alive = site.known_worker();
    site.enqueue(&["demo.noop"]);
    until("the other's consumer", || {
        consumers(&site, "default").contains(&alive)
    });
}
