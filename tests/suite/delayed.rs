//! Delayed tasks with two workers racing for them, and a task that outlasts its lease: each runs once.
//!
//! Must not know who promotes.

use std::time::{Duration, Instant};

use chicory_queue::Timestamp;
use chicory_testing::{Site, WorkerProcess, assert_each_once};
use redis::Commands;
use serde_json::json;

use crate::batch::Batch;

#[test]
fn ten_thousand_due_at_once_run_once_each() {
    let batch = Batch { size: 10_000 };
    let site = Site::new();
    let mut workers = [site.worker(&[]), site.worker(&[])];
    let due = Timestamp::now().after(Duration::from_secs(3));
    batch.enqueue_additions(&site, &json!({ "eta": due.to_string() }));
    Batch::until_empty(&site);
    workers.iter_mut().for_each(WorkerProcess::stop);
    workers.iter().for_each(WorkerProcess::read_to_the_end);
    let done: Vec<_> = workers
        .iter()
        .flat_map(|worker| worker.tasks("done"))
        .collect();
    assert_eq!(done.len(), batch.size);
    assert_each_once(&done);
    for message in ["reclaimed", "the lease was lost"] {
        assert!(
            workers.iter().all(|worker| worker.count(message) == 0),
            "{message}"
        );
    }
    batch.assert_all_added(&site);
}

#[test]
fn a_task_of_ten_lease_times_runs_once() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1000");
    site.deploy("sleeping");
    let mut workers = [site.worker(&[]), site.worker(&[])];
    // One that waits in the host, and one that keeps a processor busy.
    let ids = [["sleeping.sleep", "10000"], ["sleeping.busy", "5000"]]
        .map(|[task, time]| site.enqueue(&[task, time]));
    for id in &ids {
        assert_eq!(site.wait_for(id)["state"], "SUCCESS");
    }
    workers.iter_mut().for_each(WorkerProcess::stop);
    workers.iter().for_each(WorkerProcess::read_to_the_end);
    let mut done: Vec<_> = workers
        .iter()
        .flat_map(|worker| worker.tasks("done"))
        .collect();
    done.sort_unstable();
    let mut expected = ids.to_vec();
    expected.sort_unstable();
    assert_eq!(done, expected);
    assert!(workers.iter().all(|worker| worker.count("reclaimed") == 0));
    assert_eq!(
        site.connection()
            .xlen::<_, usize>("chicory:stream:default")
            .unwrap(),
        0
    );
}

/// Case Q13: messages that are delayed by hand start soon after their time, however many queues a worker serves.
#[test]
fn q13_of_sixty_queues_each_is_looked_at_within_a_second() {
    let site = Site::new();
    let queues: Vec<String> = (0..60).map(|number| format!("q{number}")).collect();
    let flags: Vec<&str> = (queues.iter())
        .flat_map(|queue| ["--queue", queue])
        .collect();
    let worker = site.worker(&flags);
    let mut redis = site.connection();
    for queue in ["q59", "q30", "q0"] {
        let data = json!({ "id": queue, "name": "demo.noop" }).to_string();
        let due = Timestamp::now().as_seconds();
        let begun = Instant::now();
        redis
            .zadd::<_, _, _, ()>(format!("chicory:delayed:{queue}"), data, due)
            .unwrap();
        worker.line_about("done", queue);
        // It was up to 18 seconds, by the number of queues.
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "{:?}",
            begun.elapsed()
        );
    }
}
