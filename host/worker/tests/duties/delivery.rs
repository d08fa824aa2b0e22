//! Leases, permits and modes of delivery.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chicory_queue::{DeliveryMode, FetchRequest, ReclaimRequest, TaskState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, PATIENCE, message, returned};

#[tokio::test]
async fn never_more_at_work_than_permits() {
    let mut bench = Bench::new().await;
    bench.config.concurrency = 3;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let mut running = bench.start(move |_| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            returned("1")
        }
    });
    let messages: Vec<_> = (0..200).map(|_| message()).collect();
    bench
        .connected
        .broker
        .enqueue("default", &messages)
        .await
        .unwrap();
    for _ in 0..200 {
        assert!(running.end().await.applied);
    }
    let most = seen.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most} at once");
    running.drain().await;
}

#[tokio::test]
async fn a_task_longer_than_its_lease_runs_once_and_is_announced() {
    let bench = Bench::new().await;
    let release = Arc::new(Notify::new());
    let waiting = Arc::clone(&release);
    let mut running = bench.start(move |_| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.notified().await;
            returned("1")
        }
    });
    let message = message();
    bench.send(&message).await;
    // It is announced after a second, which is three leases.
    tokio::time::timeout(PATIENCE, async {
        while bench.state(&message.id).await != Some(TaskState::Started) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("announced in time");
    let request = ReclaimRequest {
        queue: &"default".into(),
        consumer: &"thief".into(),
        limit: 10,
        bytes: usize::MAX,
    };
    assert!(
        bench
            .connected
            .broker
            .reclaim(request)
            .await
            .unwrap()
            .is_empty()
    );
    release.notify_one();
    let end = running.end().await;
    assert_eq!((end.attempt, end.applied), (1, true));
    assert_eq!(running.drain().await.processed, 1);
}

#[tokio::test]
async fn a_message_that_ends_its_workers_is_given_up_on() {
    let mut bench = Bench::new().await;
    bench.config.max_deliveries = 1;
    let message = message();
    bench.send(&message).await;
    // A consumer that takes the message and is never heard from again.
    let request = FetchRequest {
        queues: &["default".into()],
        consumer: &"dead".into(),
        limit: 1,
        bytes: usize::MAX,
        block: Duration::ZERO,
        interrupt: &CancellationToken::new(),
    };
    assert_eq!(
        bench.connected.broker.fetch(request).await.unwrap().len(),
        1
    );
    let running = bench.start(|_| async { returned("1") });
    let result = bench.result(&message.id).await;
    let error = result.error.unwrap();
    assert!(
        error.starts_with("LeaseExpired: delivered 2 times"),
        "{error}"
    );
    assert_eq!(
        bench.connected.inspect.stats("default").await.unwrap().dead,
        1
    );
    running.drain().await;
}

#[tokio::test]
async fn at_most_once_is_acknowledged_before_it_runs() {
    let mut bench = Bench::new().await;
    bench.config.delivery_mode = DeliveryMode::AtMostOnce;
    let inspect = Arc::clone(&bench.connected.inspect);
    let running = bench.start(move |_| {
        let inspect = Arc::clone(&inspect);
        async move { returned(&inspect.stats("default").await.unwrap().size.to_string()) }
    });
    let message = message();
    bench.send(&message).await;
    assert_eq!(bench.result(&message.id).await.result, Some(0.into()));
    running.drain().await;
}
