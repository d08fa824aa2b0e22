//! A client and a worker with native tasks in one program.

use std::sync::Arc;
use std::time::Duration;

use chicory_embedder_native::tasks;
use chicory_queue::{Call, CallError, Client, RetryPolicy, TaskMessage, TaskState};
use chicory_testing::{RedisServer, SqliteFile};
use chicory_worker::{EventChannel, Stop, Summary, Worker, WorkerConfig, WorkerError, WorkerEvent};
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

/// No wait of these tests takes nearly as long.
const PATIENCE: Option<Duration> = Some(Duration::from_mins(1));

/// The shop with its worker.
struct Shop {
    client: Client,
    stop: Stop,
    events: UnboundedReceiver<WorkerEvent>,
    serving: JoinHandle<Result<Summary, WorkerError>>,
}

impl Shop {
    async fn open(url: &str) -> Self {
        let client = Client::open(url).await.expect("the broker is there");
        let retries = RetryPolicy {
            max_retries: 2,
            retry_delay: 0.01,
            ..RetryPolicy::default()
        };
        let tasks = tasks(Arc::default(), retries);
        let (observer, events) = EventChannel::new();
        let worker = Worker::new(
            client.connected().clone(),
            Arc::new(tasks),
            WorkerConfig::default(),
        )
        .observed_by(Arc::new(observer));
        let stop = Stop::new();
        let serving = tokio::spawn(worker.run(stop.clone()));
        Self {
            client,
            stop,
            events,
            serving,
        }
    }

    async fn call(&self, task: &str, article: &str, count: u32) -> Result<u32, CallError> {
        let call = Call::<u32>::new(task).arg(article).arg(count);
        self.client.call("default", call, PATIENCE).await
    }

    /// Stops the worker; the numbers of all attempts.
    async fn close(mut self) -> (Summary, Vec<u32>) {
        self.stop.drain();
        let summary = self.serving.await.expect("no panic").expect("it serves");
        let mut attempts = Vec::new();
        while let Some(event) = self.events.recv().await {
            if let WorkerEvent::Ended(end) = event {
                attempts.push(end.attempt);
            }
        }
        (summary, attempts)
    }
}

async fn sells(url: &str) {
    let shop = Shop::open(url).await;
    assert_eq!(shop.call("stock.add", "tea", 3).await.expect("added"), 3);
    assert_eq!(shop.call("stock.take", "tea", 2).await.expect("taken"), 1);
    let error = shop.call("stock.take", "tea", 2).await.expect_err("one");
    assert!(
        error
            .to_string()
            .contains("sold-out: there is not enough tea"),
        "{error}"
    );
    let (summary, attempts) = shop.close().await;
    assert_eq!((summary.processed, summary.failed), (5, 3));
    assert_eq!(attempts, [1, 1, 1, 2, 3], "two retries");
}

#[tokio::test]
async fn closures_are_tasks_on_the_embedded_broker() {
    let file = SqliteFile::new();
    sells(&file.url()).await;
}

#[tokio::test]
async fn closures_are_tasks_on_redis() {
    let server = RedisServer::start();
    sells(&server.url()).await;
}

#[tokio::test]
async fn what_can_not_run_is_a_failure_with_a_name() {
    let file = SqliteFile::new();
    let shop = Shop::open(&file.url()).await;
    for (message, expected) in [
        (
            TaskMessage::new("stock.count"),
            "TaskNotFound: this worker has no task \"stock.count\"; it has stock.add, stock.take",
        ),
        (
            TaskMessage::new("stock.add").args([json!("tea"), json!(-1)]),
            "ValidationError: args: ",
        ),
    ] {
        let id = shop.client.enqueue("default", message).await;
        let id = id.expect("no registry knows the task");
        let result = shop
            .client
            .wait(&id, PATIENCE)
            .await
            .expect("the broker answers");
        let result = result.expect("a result in time");
        assert_eq!(result.state, TaskState::Failure);
        let error = result.error.unwrap_or_default();
        assert!(error.starts_with(expected), "{error}");
    }
    let dead = shop.client.connected().inspect.stats("default").await;
    assert_eq!(dead.expect("the broker answers").dead, 2);
    shop.close().await;
}
