//! Native tasks: arguments, results, failures, panics, retries.

use std::sync::Arc;

use chicory_queue::{Backoff, RetryPolicy, Settlement, TaskMessage, TaskState};
use chicory_worker::{Call, NativeTasks, TaskProfile};

use crate::bench::{Bench, PATIENCE};

fn tasks() -> NativeTasks {
    let retried = TaskProfile::new(RetryPolicy {
        max_retries: 1,
        retry_delay: 0.01,
        backoff: Backoff::Fixed,
        ..RetryPolicy::default()
    });
    NativeTasks::new()
        .add("math.add-up", |call: Call| async move {
            let (first, second): (i64, i64) = call.args()?;
            Ok(first + second)
        })
        .add("math.greet", |call: Call| async move {
            let who: std::collections::BTreeMap<String, String> = call.kwargs()?;
            Ok(format!("Hello, {}", who["name"]))
        })
        .add_with("math.panics", retried, |call: Call| async move {
            assert!(call.attempt() > 1, "the first attempt fails");
            Ok(call.attempt())
        })
}

#[tokio::test]
async fn arguments_become_values_and_values_results() {
    let bench = Bench::new().await;
    let running = bench.start_with(Arc::new(tasks()));
    let sum = TaskMessage::new("math.add_up").args([1.into(), 2.into()]);
    let greeting = TaskMessage::new("math.greet").kwarg("name", "Ada");
    for message in [&sum, &greeting] {
        bench.send(message).await;
    }
    assert_eq!(bench.result(&sum.id).await.result, Some(3.into()));
    let greeted = bench.result(&greeting.id).await.result;
    assert_eq!(greeted, Some("Hello, Ada".into()));
    assert_eq!(running.drain().await.processed, 2);
}

#[tokio::test]
async fn wrong_arguments_are_not_retried() {
    let bench = Bench::new().await;
    let running = bench.start_with(Arc::new(tasks()));
    let mut message = TaskMessage::new("math.add-up").args(["one".into()]);
    message.retry = Some(RetryPolicy::default());
    bench.send(&message).await;
    let result = bench.result(&message.id).await;
    assert_eq!(result.state, TaskState::Failure);
    let error = result.error.unwrap();
    assert!(error.starts_with("ValidationError: args: "), "{error}");
    running.drain().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_the_task_alone() {
    let bench = Bench::new().await;
    let mut running = bench.start_with(Arc::new(tasks()));
    let message = TaskMessage::new("math.panics");
    bench.send(&message).await;
    let end = tokio::time::timeout(PATIENCE, running.end()).await.unwrap();
    assert_eq!(end.error.as_deref(), Some("Panic: the first attempt fails"));
    assert!(
        matches!(end.settlement, Settlement::Retry { .. }),
        "{end:?}"
    );
    assert_eq!(bench.result(&message.id).await.result, Some(2.into()));
    running.drain().await;
}
