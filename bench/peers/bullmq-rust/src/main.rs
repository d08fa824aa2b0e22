//! BullMQ's Rust port in the side-by-side run.
//!
//! `bench-bullmq-rust worker | enqueue N | latency WARM SAMPLES | verify N`; a producer prints one JSON object.

use bullmq::options::RedisConnectionOptions;
use bullmq::queue::BulkJob;
use bullmq::worker::CancellationToken;
use bullmq::{
    Job, Queue, QueueEvent, QueueEvents, QueueEventsOptions, QueueOptions, Worker, WorkerOptions,
};
use serde_json::{Value, json};
use std::time::Instant;

fn conn() -> RedisConnectionOptions {
    RedisConnectionOptions {
        url: std::env::var("REDIS_URL").unwrap(),
        ..Default::default()
    }
}

fn ids_path() -> String {
    format!("{}/ids.txt", std::env::var("WORK").unwrap())
}

#[tokio::main]
async fn main() {
    let argv: Vec<String> = std::env::args().collect();
    let numbers: Vec<usize> = argv[2..].iter().map(|x| x.parse().unwrap()).collect();
    if argv[1] == "worker" {
        return work().await;
    }
    let options = QueueOptions {
        connection: conn(),
        ..Default::default()
    };
    let queue = Queue::with_options("bench", options).await.unwrap();
    let found = match argv[1].as_str() {
        "enqueue" => enqueue(&queue, numbers[0]).await,
        "latency" => latency(&queue, numbers[0], numbers[1]).await,
        _ => verify(&queue).await,
    };
    println!("{found}");
}

async fn work() {
    let concurrency = std::env::var("BULL_C").unwrap().parse().unwrap();
    let options = WorkerOptions {
        connection: conn(),
        concurrency,
        ..Default::default()
    };
    let add = |job: Job, _: CancellationToken| async move {
        let data = job.data();
        Ok(json!(
            data["a"].as_i64().unwrap() + data["b"].as_i64().unwrap()
        ))
    };
    let _worker = Worker::with_options("bench", add, options).await.unwrap();
    std::future::pending::<()>().await;
}

async fn enqueue(queue: &Queue, n: usize) -> Value {
    let mut ids = Vec::with_capacity(n);
    let begun = Instant::now();
    while ids.len() < n {
        let numbers = ids.len()..n.min(ids.len() + 1000);
        let batch = numbers
            .map(|i| BulkJob::new("add", json!({"a": i, "b": 1})))
            .collect();
        ids.extend(
            queue
                .add_bulk(batch)
                .await
                .unwrap()
                .iter()
                .map(|job| job.id().to_string()),
        );
    }
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::write(ids_path(), ids.join("\n")).unwrap();
    json!({"n": ids.len(), "seconds": seconds})
}

async fn latency(queue: &Queue, warm: usize, samples: usize) -> Value {
    let options = QueueEventsOptions {
        connection: conn(),
        ..Default::default()
    };
    let events = QueueEvents::with_options("bench", options).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let (mut ms, mut wrong) = (Vec::new(), 0);
    for i in 0..warm + samples {
        let begun = Instant::now();
        let job = queue.add("add", json!({"a": i, "b": 1})).await.unwrap();
        let value = loop {
            if let QueueEvent::Completed {
                job_id,
                return_value,
                ..
            } = events.next_event().await.unwrap().event
                && job_id == job.id()
            {
                break return_value.to_string();
            }
        };
        ms.push(begun.elapsed().as_secs_f64() * 1e3);
        wrong += usize::from(value.trim_matches('"') != (i + 1).to_string());
    }
    json!({"ms": ms[warm..], "wrong": wrong})
}

async fn verify(queue: &Queue) -> Value {
    let text = std::fs::read_to_string(ids_path()).unwrap();
    let ids: Vec<&str> = text.split('\n').collect();
    let (mut checked, mut ok) = (0, 0);
    for i in (0..ids.len()).step_by((ids.len() / 200).max(1)) {
        checked += 1;
        let job = queue.get_job(ids[i]).await.unwrap();
        ok += usize::from(job.is_some_and(|job| job.returnvalue() == (i + 1).to_string()));
    }
    json!({"checked": checked, "ok": ok})
}
