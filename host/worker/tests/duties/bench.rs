//! A worker on a broker in a temporary file, whose tasks are closures.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{
    Advice, BrokerConfig, Connected, Failure, Outcome, SqliteConfig, TaskMessage, TaskResult,
    TaskState,
};
use chicory_testing::{SqliteFile, connect};
use chicory_worker::{
    AttemptEnd, Call, EventChannel, FnRunner, Runner, Said, Stop, Summary, Worker, WorkerConfig,
    WorkerError, WorkerEvent,
};
use tokio::sync::mpsc::UnboundedReceiver;

/// The environment of a test's worker.
pub(crate) struct Bench {
    pub(crate) connected: Connected,
    pub(crate) config: WorkerConfig,
    _file: SqliteFile,
}

/// A worker that serves until it is stopped.
pub(crate) struct Running {
    pub(crate) stop: Stop,
    pub(crate) events: UnboundedReceiver<WorkerEvent>,
    worker: tokio::task::JoinHandle<Result<Summary, WorkerError>>,
}

/// No test waits longer for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Bench {
    pub(crate) async fn new() -> Self {
        let file = SqliteFile::new();
        let lease = Duration::from_millis(300);
        let sqlite = SqliteConfig {
            lease,
            ..file.config()
        };
        let connected = connect(&BrokerConfig::Sqlite(sqlite)).await.unwrap();
        Self {
            connected,
            config: WorkerConfig {
                block: Duration::from_millis(200),
                concurrency: 8,
                shutdown_timeout: PATIENCE,
                ..WorkerConfig::default()
            },
            _file: file,
        }
    }

    /// A worker that runs the closure for every message.
    pub(crate) fn start<F, Fut>(&self, run: F) -> Running
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        self.start_with(Arc::new(FnRunner::new(run)))
    }

    pub(crate) fn start_with(&self, runner: Arc<dyn Runner>) -> Running {
        let (observer, events) = EventChannel::new();
        let worker = Worker::new(self.connected.clone(), runner, self.config.clone())
            .observed_by(Arc::new(observer));
        let stop = Stop::new();
        let worker = tokio::spawn(worker.run(stop.clone()));
        Running {
            stop,
            events,
            worker,
        }
    }

    pub(crate) async fn send(&self, message: &TaskMessage) {
        self.connected
            .broker
            .enqueue("default", std::slice::from_ref(message))
            .await
            .unwrap();
    }

    pub(crate) async fn result(&self, id: &str) -> TaskResult {
        let waited = self
            .connected
            .results
            .wait(id, Some(PATIENCE))
            .await
            .unwrap();
        waited.unwrap_or_else(|| panic!("no result of {id}"))
    }

    pub(crate) async fn state(&self, id: &str) -> Option<TaskState> {
        self.connected.results.state(id).await.unwrap()
    }
}

impl Running {
    /// Waits for the end of the next attempt.
    pub(crate) async fn end(&mut self) -> AttemptEnd {
        let next = async {
            loop {
                if let WorkerEvent::Ended(end) = self.events.recv().await.unwrap() {
                    return *end;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("an end in time")
    }

    /// Waits for the next thing that a task says.
    pub(crate) async fn said(&mut self) -> Said {
        let next = async {
            loop {
                if let WorkerEvent::Said(said) = self.events.recv().await.unwrap() {
                    return *said;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next)
            .await
            .expect("a note in time")
    }

    /// Drains and ends.
    pub(crate) async fn drain(self) -> Summary {
        self.stop.drain();
        self.ended().await.unwrap()
    }

    /// Stops at once.
    pub(crate) async fn now(self) -> Summary {
        self.stop.now();
        self.ended().await.unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Result<Summary, WorkerError> {
        let ended = tokio::time::timeout(PATIENCE, self.worker).await;
        ended.expect("an end in time").unwrap()
    }
}

/// A message for `m.f(1)`.
pub(crate) fn message() -> TaskMessage {
    TaskMessage::new("m.f").args([1.into()])
}

/// The task returned this.
pub(crate) fn returned(json: &str) -> Outcome {
    let result = json.to_owned();
    Outcome::Completed { result }
}

/// The task failed with this name.
pub(crate) fn failed(name: &str) -> Outcome {
    Outcome::Failed(Failure {
        name: name.to_owned(),
        message: "no".to_owned(),
        traceback: None,
        advice: Advice::Policy,
    })
}
