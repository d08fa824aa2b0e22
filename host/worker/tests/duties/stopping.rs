//! How a worker stops.

use std::sync::Arc;

use chicory_queue::{DeliveryMode, Outcome, TaskState};
use tokio::sync::mpsc;

use crate::bench::{Bench, PATIENCE, message, returned};

#[tokio::test]
async fn a_drain_waits_for_running_tasks() {
    let bench = Bench::new().await;
    let (at_work, mut started) = mpsc::unbounded_channel();
    let (release, held) = tokio::sync::watch::channel(false);
    let running = bench.start(move |_| {
        let (at_work, mut held) = (at_work.clone(), held.clone());
        async move {
            at_work.send(()).unwrap();
            held.wait_for(|go| *go).await.unwrap();
            returned("1")
        }
    });
    let message = message();
    bench.send(&message).await;
    tokio::time::timeout(PATIENCE, started.recv())
        .await
        .unwrap()
        .unwrap();
    running.stop.drain();
    release.send(true).unwrap();
    let summary = running.drain().await;
    assert_eq!((summary.processed, summary.released), (1, 0));
    assert_eq!(bench.state(&message.id).await, Some(TaskState::Success));
}

#[tokio::test]
async fn a_stop_at_once_releases_tasks_without_a_charge() {
    let bench = Bench::new().await;
    let (at_work, mut started) = mpsc::unbounded_channel();
    let at_work = Arc::new(at_work);
    let running = bench.start(move |_| {
        let at_work = Arc::clone(&at_work);
        async move {
            at_work.send(()).unwrap();
            std::future::pending().await
        }
    });
    let message = message();
    bench.send(&message).await;
    tokio::time::timeout(PATIENCE, started.recv())
        .await
        .unwrap()
        .unwrap();
    let summary = running.now().await;
    assert_eq!((summary.processed, summary.released), (0, 1));

    let mut second = bench.start(|_| async { returned("2") });
    let end = second.end().await;
    assert_eq!((end.task_id, end.attempt), (message.id.to_string(), 1));
    second.drain().await;
}

/// If the worker continued, it would renew the lease of a task that nobody runs.
#[tokio::test]
async fn a_panic_of_the_host_ends_the_worker_and_the_task_goes_to_another() {
    let bench = Bench::new().await;
    for waits in [false, true] {
        let message = message();
        bench.send(&message).await;
        let error = bench.start(move |_| panics(waits)).ended().await;
        assert!(error.unwrap_err().to_string().contains("panicked"));

        let mut second = bench.start(|_| async { returned("2") });
        assert_eq!(second.end().await.task_id, message.id);
        second.drain().await;
    }
}

/// On the spot, or after it has waited.
async fn panics(waits: bool) -> Outcome {
    if waits {
        tokio::task::yield_now().await;
    }
    panic!("a fault of the host");
}

#[tokio::test]
async fn at_most_once_is_not_released_but_said() {
    let mut bench = Bench::new().await;
    bench.config.delivery_mode = DeliveryMode::AtMostOnce;
    let (at_work, mut started) = mpsc::unbounded_channel();
    let running = bench.start(move |_| {
        at_work.send(()).unwrap();
        std::future::pending()
    });
    let message = message();
    bench.send(&message).await;
    tokio::time::timeout(PATIENCE, started.recv())
        .await
        .unwrap()
        .unwrap();
    running.now().await;
    assert_eq!(
        bench.connected.inspect.stats("default").await.unwrap().size,
        0
    );
    let result = bench.result(&message.id).await;
    assert!(
        result.error.unwrap().starts_with("Cancelled: "),
        "at most once"
    );
    let stats = bench.connected.inspect.stats("default").await.unwrap();
    assert_eq!(stats.dead, 0);
}
