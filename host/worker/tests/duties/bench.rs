//! A worker on a broker in a temporary file, whose tasks are closures.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{
    BrokerConfig, Connected, SqliteConfig, SystemClock, TaskMessage, TaskResult, TaskState, connect,
};
use chicory_runtime::{Ended, How, Invocation, Sandbox, SandboxConfig, Usage};
use chicory_worker::{
    Catalog, FnRunner, Manifest, Said, Stop, Summary, TaskEnd, Worker, WorkerConfig, WorkerEvent,
};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

/// A component whose tasks a closure runs in its place.
const MODULE: &str = r#"
(component
  (core module $m (func (export "f") (param i32) (result i32) local.get 0))
  (core instance $i (instantiate $m))
  (func $f (param "n" u32) (result u32) (canon lift (core func $i "f")))
  (export "f" (func $f))
  (export "long-name" (func $f)))
"#;

/// Where a test's worker lives.
pub(crate) struct Bench {
    pub(crate) connected: Connected,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) config: WorkerConfig,
    _directory: tempfile::TempDir,
}

/// A worker that serves until it is stopped.
pub(crate) struct Running {
    pub(crate) stop: Stop,
    pub(crate) events: broadcast::Receiver<WorkerEvent>,
    worker: tokio::task::JoinHandle<anyhow::Result<Summary>>,
}

/// No test waits longer for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Bench {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lease = Duration::from_millis(300);
        let sqlite = SqliteConfig {
            lease,
            ..SqliteConfig::new(directory.path().join("queue.db"))
        };
        let connected = connect(&BrokerConfig::Sqlite(sqlite), Arc::new(SystemClock))
            .await
            .unwrap();
        let sandbox = Sandbox::new(SandboxConfig {
            concurrency: 2,
            ..SandboxConfig::default()
        })
        .unwrap();
        let bench = Self {
            connected,
            catalog: Catalog::new(sandbox),
            config: WorkerConfig {
                lease,
                block: Duration::from_millis(200),
                concurrency: 8,
                shutdown_timeout: PATIENCE,
                ..WorkerConfig::default()
            },
            _directory: directory,
        };
        bench.deploy("m", "").await.unwrap();
        bench
    }

    pub(crate) async fn deploy(&self, name: &str, manifest: &str) -> Result<(), String> {
        let wasm = wat::parse_str(MODULE).unwrap();
        let manifest = Manifest::of(&wasm, manifest).map_err(|error| error.to_string())?;
        self.catalog.load(name, wasm, manifest).await
    }

    pub(crate) fn start<F, Fut>(&self, run: F) -> Running
    where
        F: Fn(Invocation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = How> + Send + 'static,
    {
        let run = Arc::new(run);
        let runner = FnRunner(move |invocation| {
            let run = Arc::clone(&run);
            async move {
                Ended {
                    how: run(invocation).await,
                    usage: Usage::default(),
                    log: Vec::new(),
                }
            }
        });
        let (connected, catalog) = (self.connected.clone(), Arc::clone(&self.catalog));
        let worker = Worker::new(
            connected,
            Arc::new(runner),
            catalog,
            Arc::new(SystemClock),
            self.config.clone(),
        );
        let (stop, events) = (Stop::new(), worker.events());
        let stopping = stop.clone();
        let worker = tokio::spawn(async move { worker.run(stopping).await });
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
    /// The next end of a try.
    pub(crate) async fn end(&mut self) -> TaskEnd {
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

    /// The next thing that a task says.
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

    /// How it ends by itself.
    pub(crate) async fn ended(self) -> anyhow::Result<Summary> {
        let ended = tokio::time::timeout(PATIENCE, self.worker).await;
        ended.expect("an end in time").unwrap()
    }
}

/// A message for `m.f(1)`.
pub(crate) fn message() -> TaskMessage {
    TaskMessage::new("m.f").args([1.into()])
}

/// The task returned this.
pub(crate) fn returned(json: &str) -> How {
    How::Returned(RawValue::from_string(json.to_owned()).unwrap())
}

/// The task refused with this name.
pub(crate) fn refused(name: &str) -> How {
    How::Refused {
        name: name.to_owned(),
        message: "no".to_owned(),
        traceback: None,
        retry: chicory_runtime::Advice::Policy,
        details: RawValue::from_string("null".to_owned()).unwrap(),
    }
}
