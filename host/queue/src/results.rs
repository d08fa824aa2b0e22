//! Where clients find how a task ended, and who is at work: states, results, heartbeats.
//!
//! Must not know deliveries or leases.

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BrokerError, Timestamp};

/// Where a task is in its life, by the names of the Python system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// Not started, or not known.
    Pending,
    /// At work for a while already.
    Started,
    /// Done.
    Success,
    /// Given up on.
    Failure,
    /// Failed, and waiting for a retry.
    Retry,
    /// Given up on and kept as a dead letter; seen only from other producers of states.
    DeadLettered,
}

impl TaskState {
    /// The name that is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Started => "STARTED",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Retry => "RETRY",
            Self::DeadLettered => "DEAD_LETTERED",
        }
    }

    /// Reads a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }

    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::DeadLettered)
    }
}

/// A task's result as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The message's id.
    pub task_id: String,
    /// How it ended.
    pub state: TaskState,
    /// What the task returned.
    #[serde(default)]
    pub result: Option<Value>,
    /// `Name: message` of the failure.
    #[serde(default)]
    pub error: Option<String>,
    /// The guest's backtrace.
    #[serde(default)]
    pub traceback: Option<String>,
    /// What the last try used, and any field a newer writer adds.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}

/// What is written for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRecord<'a> {
    /// The message's id.
    pub task_id: Cow<'a, str>,
    /// Its new state.
    pub state: TaskState,
    /// The stored form of a [`TaskResult`], as JSON; none where only the state changes.
    pub body: Option<Cow<'a, str>>,
    /// The message's `reply_to`: who is told of the end beside those who wait by the task's id.
    pub reply_to: Option<Cow<'a, str>>,
}

impl ResultRecord<'_> {
    /// The same with copies of what it borrows.
    pub fn into_owned(self) -> ResultRecord<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        ResultRecord {
            task_id: owned(self.task_id),
            state: self.state,
            body: self.body.map(owned),
            reply_to: self.reply_to.map(owned),
        }
    }
}

/// The answer to a message that is about to be enqueued. Dropping it ends the listening.
pub struct Reply {
    pub(crate) inbox: String,
    pub(crate) body: BoxFuture<'static, Option<Bytes>>,
}

impl Reply {
    /// What the message has to have in `reply_to`.
    pub fn inbox(&self) -> &str {
        &self.inbox
    }

    /// The task's end; none where it won't be heard of here any more.
    pub async fn ended(self) -> Option<TaskResult> {
        serde_json::from_slice(&self.body.await?).ok()
    }
}

impl Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reply").field(&self.inbox).finish()
    }
}

/// A worker's heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Unique among workers.
    pub worker_id: String,
    /// Where it runs.
    pub hostname: String,
    /// Its process.
    pub pid: u32,
    /// The queues it serves, joined by commas.
    pub queue: String,
    /// Tasks it may run at once.
    pub concurrency: usize,
    /// Tasks ended since it started, failed ones included.
    pub tasks_processed: u64,
    /// Tries that failed.
    pub tasks_failed: u64,
    /// Tasks at work now.
    pub active_tasks: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// When this was written.
    pub last_heartbeat: Option<Timestamp>,
    /// Whether it still fetches.
    pub is_running: bool,
    /// Fields a newer worker adds.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}

impl WorkerInfo {
    /// The versions of deployed modules that it serves, module by module; none where it takes no part
    /// in a fleet.
    pub fn versions(&self) -> Option<&serde_json::Map<String, Value>> {
        self.extra.get("modules")?.as_object()
    }
}

/// The result backend.
#[async_trait]
pub trait Results: Debug + Send + Sync {
    /// Writes states and results, and tells those who wait.
    async fn store(&self, records: &[ResultRecord<'_>]) -> Result<(), BrokerError>;
    /// A task's state; none where nothing is stored.
    async fn state(&self, task_id: &str) -> Result<Option<TaskState>, BrokerError>;
    /// A task's result; none where it has not ended, or is no longer kept.
    async fn result(&self, task_id: &str) -> Result<Option<TaskResult>, BrokerError>;
    /// Waits for a result, woken by its writer; none when `timeout` is over.
    async fn wait(
        &self,
        task_id: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<TaskResult>, BrokerError>;
    /// An inbox for the result of a task that is about to be enqueued, which is quicker than to wait by its
    /// id; none where the store has no inboxes, or can't be reached now.
    async fn inbox(&self, task_id: &str) -> Option<Reply>;
    /// Deletes a state and result; false where there was none.
    async fn delete(&self, task_id: &str) -> Result<bool, BrokerError>;
    /// Writes a heartbeat that lasts for `ttl`.
    async fn heartbeat(&self, worker: &WorkerInfo, ttl: Duration) -> Result<(), BrokerError>;
    /// Removes a worker that has stopped.
    async fn sign_off(&self, worker_id: &str) -> Result<(), BrokerError>;
    /// Workers whose heartbeat lasts.
    async fn workers(&self) -> Result<Vec<WorkerInfo>, BrokerError>;
    /// Forgets workers whose heartbeat is over; says how many.
    async fn remove_stale_workers(&self) -> Result<u64, BrokerError>;
}

/// The fall-back where a wake-up was lost.
pub(crate) const WAIT_POLL: Duration = Duration::from_millis(500);
