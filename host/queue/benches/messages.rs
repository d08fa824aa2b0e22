//! Micro-benchmarks of what every message goes through: decoding, encoding, deciding.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use chicory_queue::{
    Advice, DecideContext, Failure, Outcome, RetryPolicy, TaskMessage, Timestamp, decide,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;

fn small() -> TaskMessage {
    TaskMessage::new("shop.add").args([json!(20), json!(22)])
}

/// As a producer of orders might send it: nested, some 10 KB.
fn large() -> TaskMessage {
    let item = json!({"sku": "A-1001", "count": 3, "price": 12.5, "tags": ["new", "naïve"]});
    TaskMessage::new("shop.order").kwarg("items", vec![item; 140])
}

fn coding(c: &mut Criterion) {
    let mut group = c.benchmark_group("message");
    for (name, message) in [("small", small()), ("10 KB", large())] {
        let text = Bytes::from(message.encode());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("decode/{name}"), |b| {
            b.iter(|| TaskMessage::decode(black_box(&text)));
        });
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter(|| black_box(&message).encode());
        });
    }
    group.finish();
    c.bench_function("message/new", |b| b.iter(|| TaskMessage::new("shop.add")));
}

fn deciding(c: &mut Criterion) {
    let (message, policy) = (small(), RetryPolicy::default());
    let terms = DecideContext {
        policy: &policy,
        dead_letters: true,
        canary: false,
        now: Timestamp::from_micros(1_000_000),
    };
    let failed = |advice| {
        Outcome::Failed(Failure {
            name: "Timeout".into(),
            message: "stopped".into(),
            traceback: None,
            advice,
        })
    };
    let outcomes = [
        (
            "completed",
            Outcome::Completed {
                result: "42".into(),
            },
        ),
        ("retried", failed(Advice::After(Duration::from_secs(1)))),
        ("given up", failed(Advice::Never)),
    ];
    for (name, outcome) in outcomes {
        c.bench_function(&format!("decide/{name}"), |b| {
            b.iter(|| decide(black_box(&outcome), black_box(&message), terms));
        });
    }
}

criterion_group!(messages, coding, deciding);
criterion_main!(messages);
