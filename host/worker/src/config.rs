//! A worker's settings, with valid values only.
//!
//! Must not know where settings come from.

use std::time::Duration;

use chicory_queue::DeliveryMode;

/// A worker's settings.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Unique among live workers; also the consumer's name.
    pub worker_id: String,
    /// The queues to serve, all with the same priority.
    pub queues: Vec<String>,
    /// Maximum number of tasks running at the same time.
    pub concurrency: usize,
    /// How many tasks may compute at the same time, each on a thread of its own. For the length of a turn (2 ms) there
    /// may be more, so short tasks need not wait for long ones.
    pub threads: usize,
    /// For tasks that don't set their own mode.
    pub delivery_mode: DeliveryMode,
    /// Whether messages that failed for good are kept as dead letters.
    pub dead_letters: bool,
    /// Deliveries of one message after which it fails for good as `LeaseExpired`.
    pub max_deliveries: u32,
    /// The longest wait for new messages in one fetch.
    pub block: Duration,
    /// Time between heartbeats.
    pub heartbeat_interval: Duration,
    /// How long a heartbeat lasts.
    pub heartbeat_ttl: Duration,
    /// Time between clean-ups of stale workers and consumers.
    pub cleanup_interval: Duration,
    /// Idle time after which a consumer without deliveries is stale.
    pub stale_workers_timeout: Duration,
    /// How long a drain waits for running tasks.
    pub shutdown_timeout: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            worker_id: new_worker_id(),
            queues: vec!["default".into()],
            concurrency: 64,
            threads: cores,
            delivery_mode: DeliveryMode::AtLeastOnce,
            dead_letters: true,
            max_deliveries: 5,
            block: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs(10),
            heartbeat_ttl: Duration::from_secs(30),
            cleanup_interval: Duration::from_mins(15),
            stale_workers_timeout: Duration::from_mins(5),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// `host-pid-random`: unique, and shows a person whose it is.
fn new_worker_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}-{}", host_name(), std::process::id(), &random[..8])
}

/// This machine's name.
pub(crate) fn host_name() -> String {
    hostname::get().map_or_else(
        |_| "unknown".into(),
        |name| name.to_string_lossy().into_owned(),
    )
}
