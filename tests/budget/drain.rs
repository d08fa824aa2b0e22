//! What a worker spends on a task while it empties a queue: Redis commands and allocations.
//!
//! Two drains, one of some tasks and one of many: the difference excludes a worker's start and stop.
//! The worker runs in this process, whose allocations are counted.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Connected, TaskMessage};
use chicory_runtime::{Sandbox, SandboxConfig};
use chicory_testing::RedisServer;
use chicory_testing::components::assemble;
use chicory_worker::{Catalog, Manifest, Stop, Worker, WorkerConfig};
use redis::Commands as _;

use crate::{ALLOCATOR, MODULE};

const SOME: usize = 1000;
const MANY: usize = 5000;
const CONCURRENCY: usize = 256;
const QUEUE: &str = "default";
const STREAM: &str = "chicory:stream:default";

/// Counts so far.
#[derive(Clone, Copy)]
struct Counts {
    commands: f64,
    allocations: f64,
}

/// Costs per task, by name.
pub(crate) fn costs() -> Vec<(&'static str, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime can be started");
    let place = runtime.block_on(Place::new());
    // The first drain loads scripts and fills pools.
    runtime.block_on(place.drain(SOME));
    let some = runtime.block_on(place.drain(SOME));
    let many = runtime.block_on(place.drain(MANY));
    let tasks = (MANY - SOME) as f64;
    vec![
        (
            "redis_commands_per_task",
            (many.commands - some.commands) / tasks,
        ),
        (
            "allocations_per_task",
            (many.allocations - some.allocations) / tasks,
        ),
    ]
}

/// A server, and what a worker on it needs.
struct Place {
    server: RedisServer,
    connected: Connected,
    catalog: Arc<Catalog>,
}

impl Place {
    async fn new() -> Self {
        let server = RedisServer::start();
        let connected = server.connect().await;
        let sandbox = Sandbox::new(SandboxConfig {
            concurrency: CONCURRENCY,
            ..SandboxConfig::default()
        });
        let sandbox = sandbox.expect("a pool can be reserved");
        let catalog = Catalog::new(sandbox);
        let wasm = assemble(MODULE);
        let loaded = catalog.load("bench", wasm, Manifest::default()).await;
        loaded.expect("the module is valid");
        Self {
            server,
            connected,
            catalog,
        }
    }

    /// Fills the queue, and counts what a worker spends from its start to its end.
    async fn drain(&self, tasks: usize) -> Counts {
        self.fill(tasks).await;
        let before = self.counts();
        let worker = Worker::new(
            self.connected.clone(),
            Arc::clone(&self.catalog) as _,
            WorkerConfig {
                concurrency: CONCURRENCY,
                threads: 1,
                ..WorkerConfig::default()
            },
        );
        let stop = Stop::new();
        let running = tokio::spawn(worker.run(stop.clone()));
        self.until_empty().await;
        stop.drain();
        let summary = running.await.expect("the worker does not panic");
        let summary = summary.expect("the worker can start its threads");
        assert_eq!((summary.processed, summary.failed), (tasks as u64, 0));
        let after = self.counts();
        Counts {
            commands: after.commands - before.commands,
            allocations: after.allocations - before.allocations,
        }
    }

    async fn fill(&self, tasks: usize) {
        let message = |number: usize| TaskMessage::new("bench.add").args([number.into(), 1.into()]);
        let messages: Vec<_> = (0..tasks).map(message).collect();
        let sent = self.connected.broker.enqueue(QUEUE, &messages).await;
        sent.expect("the server takes messages");
    }

    /// Checks rarely, so that it hardly costs anything; its own commands aren't counted.
    async fn until_empty(&self) {
        let mut redis = self.server.connection();
        for _ in 0..PATIENCE {
            let size: usize = redis.xlen(STREAM).expect("the server answers");
            if size == 0 {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the worker does not empty its queue");
    }

    fn counts(&self) -> Counts {
        let mut redis = self.server.connection();
        let info: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut redis)
            .expect("the server answers");
        let allocator = ALLOCATOR.stats();
        Counts {
            commands: info.lines().filter_map(calls).sum(),
            allocations: (allocator.allocations + allocator.reallocations) as f64,
        }
    }
}

const PAUSE: Duration = Duration::from_millis(20);
/// Checks before giving up: three minutes.
const PATIENCE: usize = 9000;

/// The calls of a line such as `cmdstat_xadd:calls=3,usec=9,…`, but for this test's own.
fn calls(line: &str) -> Option<f64> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    let own = ["info", "xlen", "client|setinfo"].contains(&name);
    let calls = rest.split(',').next()?.parse().ok()?;
    Some(if own { 0.0 } else { calls })
}
