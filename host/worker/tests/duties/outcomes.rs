//! What happens to messages, by the outcome of their tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chicory_queue::{Backoff, DeadLetterRange, RetryPolicy, Settlement, TaskState};
use chicory_worker::{NativeTasks, Note};
use tokio::sync::Notify;

use crate::bench::{Bench, failed, message, returned};

#[tokio::test]
async fn a_task_that_returns_is_done_and_its_result_stored() {
    let bench = Bench::new().await;
    let mut running = bench.start(|call| async move {
        let [given]: [u32; 1] = call.args().unwrap();
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
    let attempts = AtomicU32::new(0);
    let mut running = bench.start(move |call| {
        let count = attempts.fetch_add(1, Ordering::SeqCst);
        assert_eq!((call.attempt(), call.max_retries()), (count + 1, 3));
        async move {
            if count < 2 {
                failed("not-yet")
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
    let running = bench.start(|_| async { failed("broken") });
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
    let running = bench.start(|_| async { failed("broken") });
    let message = message();
    bench.send(&message).await;
    assert_eq!(bench.result(&message.id).await.state, TaskState::Failure);
    let stats = bench.connected.inspect.stats("default").await.unwrap();
    assert_eq!((stats.size, stats.dead), (0, 0));
    running.drain().await;
}

#[tokio::test]
async fn a_task_that_is_not_there_is_a_dead_letter_that_says_what_is() {
    let bench = Bench::new().await;
    let tasks = NativeTasks::new().add("m.f", |_| async { Ok(1) });
    let running = bench.start_with(Arc::new(tasks));
    let message = chicory_queue::TaskMessage::new("m.g");
    bench.send(&message).await;
    assert_eq!(
        bench.result(&message.id).await.error.as_deref(),
        Some("TaskNotFound: this worker has no task \"m.g\"; it has m.f")
    );
    running.drain().await;
}

#[tokio::test]
async fn what_cant_be_read_is_a_dead_letter_whatever_the_setting() {
    let mut bench = Bench::new().await;
    bench.config.dead_letters = false;
    let mut running = bench.start(|_| async { returned("1") });
    let mut message = message();
    let format = chicory_queue::RawJson::from(&7.into());
    message.extra.push(("format".into(), format));
    bench.send(&message).await;
    let end = running.end().await;
    assert_eq!((end.task_id, end.task_name), (message.id.to_string(), None));
    let error = end.error.unwrap();
    assert!(error.starts_with("UnreadableMessage: format 7"), "{error}");
    assert!(
        matches!(end.settlement, Settlement::DeadLetter { .. }),
        "{:?}",
        end.settlement
    );
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
    let mut running = bench.start(move |call| {
        let heard = Arc::clone(&heard);
        async move {
            call.say(&Note::Progress {
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
    assert_eq!((said.task_id, said.attempt), (message.id.to_string(), 1));
    assert!(matches!(said.note, Note::Progress { percent: 40.0, .. }));
    told.notify_one();
    assert!(running.end().await.applied);
    running.drain().await;
}
