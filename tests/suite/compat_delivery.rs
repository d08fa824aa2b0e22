//! Chicory for Python's delivery modes, dead letters on and off, and the worker's flags and variables.
//!
//! Must not know the brokers' insides.

use chicory_testing::{Site, WorkerProcess, json, until, until_some};
use redis::Commands;
use serde_json::Value;

const STREAM: &str = "chicory:stream:default";

/// A running task: its message's id, and the number of entries in the stream and in the group.
fn at_work(site: &Site) -> (String, usize, usize) {
    let id = site.enqueue(&["sleeping.sleep", "4000"]);
    site.until_started(&id);
    let mut redis = site.connection();
    let pending: redis::streams::StreamPendingReply =
        redis.xpending(STREAM, "chicory-workers").unwrap();
    (id, redis.xlen(STREAM).unwrap(), pending.count())
}

#[test]
fn at_least_once_acknowledges_and_deletes_afterwards() {
    let site = Site::new().set("CHICORY_DELIVERY_MODE", "at_least_once");
    site.deploy("sleeping");
    let worker = site.worker(&[]);
    let (id, entries, pending) = at_work(&site);
    assert_eq!((entries, pending), (1, 1));
    worker.line_about("done", &id);
    let mut redis = site.connection();
    assert_eq!(redis.xlen::<_, usize>(STREAM).unwrap(), 0);
    let pending: redis::streams::StreamPendingReply =
        redis.xpending(STREAM, "chicory-workers").unwrap();
    assert_eq!(pending.count(), 0);
}

#[test]
fn at_most_once_acknowledges_before_and_loses_with_the_worker() {
    let site = Site::new()
        .set("CHICORY_DELIVERY_MODE", "at_most_once")
        .set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "200");
    site.deploy("sleeping");
    let mut worker = site.worker(&[]);
    let (lost, entries, pending) = at_work(&site);
    assert_eq!((entries, pending), (0, 0));
    worker.kill();
    let next = site.worker(&[]);
    let (id, ..) = at_work(&site);
    next.line_about("done", &id);
    assert_eq!((next.count("reclaimed"), next.tasks("done")), (0, vec![id]));
    assert!(site.run(&["result", &lost]).fails(4).contains("STARTED"));
}

#[test]
fn delivery_mode_as_a_flag() {
    let site = Site::new();
    site.deploy("sleeping");
    let _worker = site.worker(&["--delivery-mode", "at_most_once"]);
    let (_, entries, pending) = at_work(&site);
    assert_eq!((entries, pending), (0, 0));
}

/// What is left of a task that fails for good under this worker: dead letters, and its result's state.
fn after_a_failure(site: &Site, flags: &[&str]) -> (usize, Value) {
    let _worker = site.worker(flags);
    let state = site.call(&["demo.gives-up", "no more"])["state"].clone();
    (
        site.connection().xlen("chicory:dlq:default").unwrap(),
        state,
    )
}

#[test]
fn dead_letters_are_kept_unless_turned_off() {
    for (flags, kept) in [(&[][..], 1), (&["--dlq"], 1), (&["--no-dlq"], 0)] {
        assert_eq!(
            after_a_failure(&Site::new(), flags),
            (kept, "FAILURE".into()),
            "{flags:?}"
        );
    }
    let off = || Site::new().set("CHICORY_WORKER_USE_DEAD_LETTER_QUEUE", "false");
    assert_eq!(after_a_failure(&off(), &[]).0, 0);
    assert_eq!(
        after_a_failure(&off(), &["--dlq"]).0,
        1,
        "the flag goes before the variable"
    );
}

/// The heartbeat of the only worker.
fn heartbeat(site: &Site) -> Value {
    let mut redis = site.connection();
    let id = until_some("a worker", || {
        redis
            .smembers::<_, Vec<String>>("chicory:workers")
            .unwrap()
            .pop()
    });
    let text = until_some("its heartbeat", || {
        redis
            .get::<_, Option<String>>(format!("chicory:heartbeat:{id}"))
            .unwrap()
    });
    let body = json(&text);
    assert_eq!(body["worker_id"], id);
    body
}

#[test]
fn heartbeats_have_all_their_fields() {
    let site = Site::new()
        .set("CHICORY_WORKER_CONCURRENCY", "7")
        .set("CHICORY_WORKER_THREADS", "1")
        .set("CHICORY_WORKER_QUEUE", "first,second");
    let mut worker = site.worker(&[]);
    let body = heartbeat(&site);
    assert_eq!(
        (&body["concurrency"], &body["queue"]),
        (&7.into(), &"first,second".into())
    );
    assert_eq!(
        (&body["pid"], &body["is_running"]),
        (&worker.pid().into(), &true.into())
    );
    for field in [
        "hostname",
        "tasks_processed",
        "tasks_failed",
        "active_tasks",
        "started_at",
        "last_heartbeat",
    ] {
        assert!(!body[field].is_null(), "{field} is missing in {body}");
    }
    let listed = site.run(&["workers", "--json"]).json();
    assert_eq!(listed[0]["worker_id"], body["worker_id"]);
    worker.stop();
    let mut redis = site.connection();
    assert!(
        redis
            .smembers::<_, Vec<String>>("chicory:workers")
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        site.run(&["workers", "--json"]).json(),
        Value::Array(Vec::new())
    );
}

#[test]
fn heartbeat_interval_and_ttl() {
    let site = Site::new()
        .set("CHICORY_WORKER_HEARTBEAT_INTERVAL", "0.1")
        .set("CHICORY_WORKER_HEARTBEAT_TTL", "50");
    let mut worker = site.worker(&[]);
    let first = heartbeat(&site);
    until("another heartbeat", || {
        heartbeat(&site)["last_heartbeat"] != first["last_heartbeat"]
    });
    let key = format!("chicory:heartbeat:{}", first["worker_id"].as_str().unwrap());
    let ttl: i64 = site.connection().ttl(&key).unwrap();
    assert!((31..=50).contains(&ttl), "{ttl}");
    worker.stop();
    let flags = ["--heartbeat-interval", "5", "--heartbeat-ttl", "100"];
    let _worker = site.worker(&flags);
    let key = format!(
        "chicory:heartbeat:{}",
        heartbeat(&site)["worker_id"].as_str().unwrap()
    );
    assert!(site.connection().ttl::<_, i64>(&key).unwrap() > 50);
}

#[test]
fn queues_by_flag_are_all_served() {
    let site = Site::new();
    let worker = site.worker(&["--queue", "mail", "-q", "pictures", "--concurrency", "3"]);
    for queue in ["mail", "pictures"] {
        let id = site.enqueue(&["demo.noop", "--queue", queue]);
        worker.line_about("done", &id);
    }
    let other = site.enqueue(&["demo.noop"]);
    assert_eq!(
        site.run(&["queue", "list", "--json"]).json()[0]["queue"],
        "default"
    );
    assert!(!worker.tasks("done").contains(&other));
    assert_eq!(heartbeat(&site)["concurrency"], 3);
}

#[test]
fn log_level() {
    let site = Site::new().set("CHICORY_WORKER_LOG_LEVEL", "error");
    let worker = site.starting_worker(&[]);
    site.call(&["demo.noop"]);
    assert_eq!(worker.lines(), [] as [Value; 0]);
    let chatty = site.worker(&["--log-level", "DEBUG"]);
    assert!(!chatty.lines().is_empty());
}

/// Consumers that are gone are forgotten, but never one that holds a message.
#[test]
fn cleanup_interval_and_stale_workers_timeout() {
    let site = Site::new()
        .set("CHICORY_WORKER_CLEANUP_INTERVAL", "1")
        .set("CHICORY_WORKER_STALE_WORKERS_TIMEOUT", "0.2");
    site.enqueue(&["demo.noop"]);
    let mut redis = site.connection();
    let group = |verb, argument| {
        let words = ["XGROUP", verb, STREAM, "chicory-workers", argument];
        site.redis.query::<()>(&words);
    };
    group("CREATE", "0");
    for consumer in ["holds-one", "holds-none"] {
        site.read_as(consumer, 1);
        group("CREATECONSUMER", consumer);
    }
    redis
        .sadd::<_, _, ()>("chicory:workers", "long-gone")
        .unwrap();
    let worker = site.worker(&[]);
    worker.line("removed stale workers and consumers");
    let consumers = consumers(&site);
    assert!(consumers.contains(&"holds-one".to_owned()), "{consumers:?}");
    until("no consumer that holds none", || {
        !self::consumers(&site).contains(&"holds-none".to_owned())
    });
    let workers: Vec<String> = redis.smembers("chicory:workers").unwrap();
    assert!(!workers.contains(&"long-gone".to_owned()), "{workers:?}");
}

fn consumers(site: &Site) -> Vec<String> {
    let reply: redis::streams::StreamInfoConsumersReply = site
        .connection()
        .xinfo_consumers(STREAM, "chicory-workers")
        .unwrap();
    reply
        .consumers
        .into_iter()
        .map(|consumer| consumer.name)
        .collect()
}

#[test]
fn cleanup_as_a_command() {
    let site = Site::new();
    let mut worker: WorkerProcess = site.worker(&[]);
    heartbeat(&site);
    until("the worker's consumer", || {
        site.connection().exists::<_, bool>(STREAM).unwrap()
    });
    worker.kill();
    let id: String = site
        .connection()
        .smembers::<_, Vec<String>>("chicory:workers")
        .unwrap()
        .remove(0);
    site.connection()
        .del::<_, ()>(format!("chicory:heartbeat:{id}"))
        .unwrap();
    let cleaned = site
        .run(&["cleanup", "--stale-seconds", "0", "--json"])
        .json();
    assert_eq!(cleaned["workers"], 1);
    assert!(consumers(&site).is_empty());
}
