//! The result backend: states and results of tasks, and the workers' heartbeats.
//!
//! Must not know deliveries or leases.

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chicory_signature::TenantName;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BrokerError, Timestamp};

/// The state of a task, named as in Chicory for Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// Not started, or not known.
    Pending,
    /// Running for some time.
    Started,
    /// Done.
    Success,
    /// Given up on.
    Failure,
    /// Failed, and waiting for a retry.
    Retry,
    /// Given up on and kept as a dead letter; only written by other producers of states.
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

/// The name of the failure of a task whose message was removed by a purge. It does not count as a result for its id.
pub const PURGED: &str = "Purged";

/// What follows the task's id in the body of such a result.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn purged_body() -> String {
    format!(r#""state":"FAILURE","result":null,"error":"{PURGED}: "#)
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
    /// Whether what the task returned is not kept, as its manifest or its message requested (`ignore_result`). `result`
    /// is then empty; this only says how the task ended, because someone waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
    /// What the last attempt used, and any field that a newer writer adds.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}

impl TaskResult {
    /// Reads a task's stored result.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn decode(task_id: &str, body: &[u8]) -> Result<Self, BrokerError> {
        serde_json::from_slice(body).map_err(|source| BrokerError::Unreadable {
            what: format!("the stored result of task {task_id:?}"),
            source,
        })
    }
}

/// What to write for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRecord<'a> {
    /// The tenant that the task belongs to.
    pub tenant: TenantName,
    /// The message's id.
    pub task_id: Cow<'a, str>,
    /// Its new state.
    pub state: TaskState,
    /// The stored form of a [`TaskResult`], as JSON; `None` if only the state changes.
    pub body: Option<Cow<'a, str>>,
    /// The message's `reply_to`: an inbox that gets the result, in addition to clients that wait by the task's id.
    pub reply_to: Option<Cow<'a, str>>,
}

impl ResultRecord<'_> {
    /// The same with copies of what it borrows.
    pub fn into_owned(self) -> ResultRecord<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        ResultRecord {
            tenant: self.tenant,
            task_id: owned(self.task_id),
            state: self.state,
            body: self.body.map(owned),
            reply_to: self.reply_to.map(owned),
        }
    }
}

/// The result of a message that is about to be enqueued. Dropping it stops listening.
pub struct Reply {
    pub(crate) inbox: String,
    pub(crate) body: BoxFuture<'static, Option<Bytes>>,
}

impl Reply {
    /// The value for the message's `reply_to`.
    pub fn inbox(&self) -> &str {
        &self.inbox
    }

    /// The task's result; `None` if it will no longer arrive here.
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
    /// Maximum number of tasks that it runs at once.
    pub concurrency: usize,
    /// Tasks ended since it started, including failed ones.
    pub tasks_processed: u64,
    /// Attempts that failed.
    pub tasks_failed: u64,
    /// Tasks running now.
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
    /// The heartbeat as it is stored.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self)
            .unwrap_or_else(|error| unreachable!("a heartbeat holds JSON values only: {error}"))
    }

    /// Whether it listens to the registry, so [`Registry::present`](crate::Registry::present) can tell when it is gone.
    pub fn listens(&self) -> bool {
        self.extra.get("listens") == Some(&Value::Bool(true))
    }

    /// The versions of deployed modules that it serves, by module; `None` if it does not take part in a fleet.
    pub fn versions(&self) -> Option<&serde_json::Map<String, Value>> {
        self.extra.get("modules")?.as_object()
    }
}

/// The result backend.
#[async_trait]
pub trait Results: Debug + Send + Sync {
    /// Writes states and results, and notifies waiting clients.
    async fn store(&self, records: &[ResultRecord<'_>]) -> Result<(), BrokerError>;
    /// A task's state; `None` if nothing is stored.
    async fn state(&self, task_id: &str) -> Result<Option<TaskState>, BrokerError>;
    /// A task's result; `None` if it has not finished, or the result has expired.
    async fn result(&self, task_id: &str) -> Result<Option<TaskResult>, BrokerError>;
    /// Waits for a result; `None` if `timeout` passes first. Writing the result wakes the wait.
    async fn wait(
        &self,
        task_id: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<TaskResult>, BrokerError>;
    /// An inbox for the result of a task that is about to be enqueued, which is faster than waiting by its id; `None`
    /// if the store has no inboxes or can't be reached now.
    async fn inbox(&self, task_id: &str) -> Option<Reply>;
    /// For which of these tasks someone may be waiting by id. If that can't be known, for all.
    async fn awaited(&self, task_ids: &[&str]) -> Result<Vec<bool>, BrokerError>;
    /// Deletes a state and a result; false if there were none.
    async fn delete(&self, task_id: &str) -> Result<bool, BrokerError>;
    /// Writes a heartbeat that lasts for `ttl`.
    async fn heartbeat(&self, worker: &WorkerInfo, ttl: Duration) -> Result<(), BrokerError>;
    /// Removes a worker that has stopped.
    async fn sign_off(&self, worker_id: &str) -> Result<(), BrokerError>;
    /// Workers whose heartbeat has not expired.
    async fn workers(&self) -> Result<Vec<WorkerInfo>, BrokerError>;
    /// Removes workers whose heartbeat has expired; returns their number.
    async fn remove_stale_workers(&self) -> Result<u64, BrokerError>;
}

/// The fallback in case a wake-up is lost.
pub(crate) const WAIT_POLL: Duration = Duration::from_millis(500);
