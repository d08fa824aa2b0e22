//! What becomes of messages, by how their tasks end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chicory_queue::{Backoff, DeadLetterRange, RetryPolicy, Settlement, TaskState};
use chicory_runtime::Note;
use tokio::sync::Notify;

use crate::bench::{Bench, message, refused, returned};

#[tokio::test]
async fn a_task_that_returns_is_done_and_its_result_stored() {
    let bench = Bench::new().await;
    let mut running = bench.start(|invocation| async move {
        let [given]: [u32; 1] = serde_json::from_str(invocation.arguments.args().as_str()).unwrap();
        returned(&given.to_string())
    });
    let message = message();
    bench.send(&message).await;
    let result = bench.result(&message.id).await;
    assert_eq!(
        (result.state, result.result),
        (TaskState::Success, Some(1.into()))
    );
    let end = running.end().await;
    assert_eq!(
        (end.attempt, end.applied, end.settlement),
        (1, true, Settlement::Complete)
    );
    assert_eq!(
        bench.connected.inspect.stats("default").await.unwrap().size,
        0
    );
    assert_eq!(running.drain().await.processed, 1);
}

#[tokio::test]
async fn a_task_that_fails_twice_is_retried_twice() {
    let bench = Bench::new().await;
    let tries = AtomicU32::new(0);
    let mut running = bench.start(move |invocation| {
        let count = tries.fetch_add(1, Ordering::SeqCst);
        assert_eq!(invocation.context.retries, count);
        async move {
            if count < 2 {
                refused("not-yet")
            } else {
                returned("7")
            }
        }
    });
    let mut message = message();
    message.retry = Some(RetryPolicy {
        retry_delay: 0.01,
        backoff: Backoff::Fixed,
        ..RetryPolicy::default()
    });
    bench.send(&message).await;
    for attempt in 1..=2 {
        let end = running.end().await;
        assert_eq!(
            (end.attempt, end.error.as_deref()),
            (attempt, Some("not-yet: no"))
        );
        assert!(
            matches!(end.settlement, Settlement::Retry { .. }),
            "{end:?}"
        );
    }
    assert_eq!(bench.result(&message.id).await.result, Some(7.into()));
    running.drain().await;
}

#[tokio::test]
async fn a_task_that_fails_for_good_leaves_a_dead_letter_and_a_failure() {
    let bench = Bench::new().await;
    let running = bench.start(|_| async { refused("broken") });
    let message = message();
    bench.send(&message).await;
    let result = bench.result(&message.id).await;
    assert_eq!(
        (result.state, result.error.as_deref()),
        (TaskState::Failure, Some("broken: no"))
    );
    let dead = bench
        .connected
        .inspect
        .dead_letters("default", DeadLetterRange::default())
        .await
        .unwrap();
    assert_eq!(
        (dead[0].task_id.as_str(), dead[0].error.as_str()),
        (message.id.as_str(), "broken: no")
    );
    running.drain().await;
}

#[tokio::test]
async fn without_dead_letters_only_the_failure_stays() {
    let mut bench = Bench::new().await;
    bench.config.dead_letters = false;
    let running = bench.start(|_| async { refused("broken") });
    let message = message();
    bench.send(&message).await;
    assert_eq!(bench.result(&message.id).await.state, TaskState::Failure);
    let stats = bench.connected.inspect.stats("default").await.unwrap();
    assert_eq!((stats.size, stats.dead), (0, 0));
    running.drain().await;
}

#[tokio::test]
async fn a_task_that_is_not_deployed_is_a_dead_letter_that_says_what_is() {
    let bench = Bench::new().await;
    let running = bench.start(|_| async { returned("1") });
    for (name, expected) in [
        (
            "other.f",
            "TaskNotFound: on this worker, no module for \"other.f\" is deployed; there is m",
        ),
        (
            "m.g",
            "TaskNotFound: on this worker, module \"m\" has no task \"g\"; it has f, long-name",
        ),
    ] {
        let message = chicory_queue::TaskMessage::new(name);
        bench.send(&message).await;
        assert_eq!(
            bench.result(&message.id).await.error.as_deref(),
            Some(expected)
        );
    }
    running.drain().await;
}

#[tokio::test]
async fn results_are_left_out_where_nobody_wants_them() {
    let bench = Bench::new().await;
    let mut running = bench.start(|_| async { returned("1") });
    let mut message = message();
    message.ignore_result = true;
    bench.send(&message).await;
    assert!(running.end().await.applied);
    assert_eq!(bench.state(&message.id).await, None);
    running.drain().await;
}

#[tokio::test]
async fn what_a_task_says_is_heard_while_it_runs() {
    let bench = Bench::new().await;
    let heard = Arc::new(Notify::new());
    let told = Arc::clone(&heard);
    let mut running = bench.start(move |invocation| {
        let heard = Arc::clone(&heard);
        async move {
            let observer = invocation.observer.expect("somebody listens");
            observer(Note::Progress {
                percent: 40.0,
                message: None,
            });
            heard.notified().await;
            returned("1")
        }
    });
    let message = message();
    bench.send(&message).await;
    let said = running.said().await;
    assert_eq!((said.task_id, said.attempt), (message.id, 1));
    assert!(matches!(said.note, Note::Progress { percent: 40.0, .. }));
    told.notify_one();
    assert!(running.end().await.applied);
    running.drain().await;
}
