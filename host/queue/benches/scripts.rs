//! Micro-benchmarks of the Redis broker's commands and scripts, on a server of the benchmark's own.
//!
//! Each figure is one verb on a whole batch, round trip included. The verbs before it are not timed.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use chicory_queue::{
    Delivery, ResultRecord, SettleRequest, Settlement, TaskMessage, TaskState, Timestamp,
};
use chicory_testing::{Queue, RedisServer};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use tokio::runtime::Runtime;

const SIZES: [usize; 3] = [1, 16, 256];

/// A queue on a server that ends with this value.
struct Bench {
    runtime: Runtime,
    queue: Queue,
    _server: RedisServer,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let server = RedisServer::start();
        Self {
            queue: runtime.block_on(Queue::open(&server.config())),
            runtime,
            _server: server,
        }
    }

    /// Fetches all that was sent.
    async fn fetch(&self, count: usize) -> Vec<Delivery> {
        let deliveries = self.queue.fetch(count).await;
        assert_eq!(deliveries.len(), count, "all that was sent");
        deliveries
    }
}

fn messages(count: usize) -> Vec<TaskMessage> {
    let message = |number| TaskMessage::new("shop.add").args([json!(number), json!(22)]);
    (0..count).map(message).collect()
}

fn completions(deliveries: &[Delivery]) -> Vec<SettleRequest<'_>> {
    deliveries.iter().map(completion).collect()
}

fn completion(delivery: &Delivery) -> SettleRequest<'_> {
    let id = delivery.task_id.as_str();
    let body = json!({"task_id": id, "state": "SUCCESS", "result": 42}).to_string();
    SettleRequest {
        record: Some(ResultRecord {
            tenant: chicory_queue::TenantName::default(),
            task_id: id.into(),
            state: TaskState::Success,
            body: Some(body.into()),
            reply_to: None,
        }),
        lease: Cow::Borrowed(&delivery.lease),
        raw: Cow::Borrowed(&delivery.raw),
        task_id: id.into(),
        task_name: "shop.add".into(),
        retries: 0,
        settlement: Cow::Owned(Settlement::Complete),
    }
}

/// The verb of a cycle that is timed.
#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Enqueue,
    Fetch,
    Settle,
}

/// Sends, takes and settles a batch; returns how long the verb took.
async fn cycle(bench: &Bench, size: usize, timed: Verb) -> Duration {
    let batch = messages(size);
    let mut taken = Duration::ZERO;
    let mut clock = |verb, begun: Instant| {
        if verb == timed {
            taken = begun.elapsed();
        }
    };
    let begun = Instant::now();
    bench.queue.enqueue(&batch).await;
    clock(Verb::Enqueue, begun);
    let begun = Instant::now();
    let deliveries = bench.fetch(size).await;
    clock(Verb::Fetch, begun);
    let batch = completions(&deliveries);
    let begun = Instant::now();
    bench.queue.settle_each(&batch).await;
    clock(Verb::Settle, begun);
    taken
}

fn verbs(c: &mut Criterion) {
    let bench = Bench::new();
    let mut group = c.benchmark_group("redis");
    for (name, verb) in [
        ("enqueue", Verb::Enqueue),
        ("fetch", Verb::Fetch),
        ("settle", Verb::Settle),
    ] {
        for size in SIZES {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &size, |b, &size| {
                b.iter_custom(|times| {
                    bench.runtime.block_on(async {
                        let mut sum = Duration::ZERO;
                        for _ in 0..times {
                            sum += cycle(&bench, size, verb).await;
                        }
                        sum
                    })
                });
            });
        }
    }
    group.finish();
}

fn promotion(c: &mut Criterion) {
    let bench = Bench::new();
    let size = 1000;
    let mut group = c.benchmark_group("redis");
    group.throughput(Throughput::Elements(size as u64));
    group.sample_size(10);
    group.bench_function(BenchmarkId::new("promote", size), |b| {
        b.iter_custom(|times| {
            bench.runtime.block_on(async {
                let mut sum = Duration::ZERO;
                for _ in 0..times {
                    sum += promote(&bench, size).await;
                }
                sum
            })
        });
    });
    group.finish();
}

/// Sends a batch that is due in a moment, and promotes it then.
async fn promote(bench: &Bench, size: usize) -> Duration {
    let soon = Timestamp::now().after(Duration::from_millis(100));
    let mut batch = messages(size);
    for message in &mut batch {
        message.eta = Some(soon);
    }
    bench.queue.enqueue(&batch).await;
    tokio::time::sleep(soon.since(Timestamp::now()) + Duration::from_millis(2)).await;
    let begun = Instant::now();
    let promoted = bench
        .queue
        .connected
        .broker
        .promote(std::slice::from_ref(&bench.queue.name), size)
        .await;
    let taken = begun.elapsed();
    assert_eq!(promoted.expect("the server promotes").moved, size);
    let deliveries = bench.fetch(size).await;
    bench.queue.settle_each(&completions(&deliveries)).await;
    taken
}

criterion_group!(scripts, verbs, promotion);
criterion_main!(scripts);
