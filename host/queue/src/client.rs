//! A producer in a Rust program: enqueues messages, one or many at a time, and reads results or waits for them.
//!
//! Must not know which broker it uses, nor anything about a module except its signatures.

mod base64;
mod call;
mod nested;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

pub use self::base64::Base64;
pub use self::call::{Call, CallError, Started};
pub use self::nested::Nested;
use crate::results::WAIT_POLL;
use crate::validate::{Checks, EnqueueError, ValidationMode};
use crate::{
    BrokerConfig, BrokerError, Connected, Enqueued, OnDuplicate, SystemClock, TaskMessage,
    TaskResult, connect,
};

/// A producer. Cheap to clone; all clones share one connection.
///
/// ```
/// use std::time::Duration;
/// use chicory_queue::{Client, TaskMessage};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}", folder.path().join("queue.db").display());
/// // Or "redis://localhost:6379".
/// let client = Client::open(&url).await?;
///
/// let id = client.enqueue("default", TaskMessage::new("demo.add").args([json!(1), json!(2)])).await?;
/// let later = TaskMessage::new("demo.greet").kwarg("name", "Ada").after(Duration::from_secs(60));
/// client.enqueue("default", later).await?;
///
/// let many = (0..100).map(|number| TaskMessage::new("demo.add").args([json!(number), json!(1)]));
/// let ids = client.enqueue_many("default", many.collect()).await?;
/// assert_eq!(ids.len(), 100);
///
/// // No worker runs here.
/// assert!(client.result(&id).await?.is_none());
/// assert!(client.wait(&id, Some(Duration::from_millis(1))).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    connected: Connected,
    validation: ValidationMode,
    on_duplicate: OnDuplicate,
}

impl Client {
    /// Connects to the broker at a URL, with default settings: `sqlite:PATH`, `redis://…`,
    /// `rediss://…`, `unix://…`, `redis-sentinel://…`, `redis-cluster://…`.
    ///
    /// # Errors
    /// As [`Client::connect`], and [`BrokerError::Invalid`] for a URL of no known kind.
    pub async fn open(url: &str) -> Result<Self, BrokerError> {
        Self::connect(&BrokerConfig::of_url(url)?).await
    }

    /// Connects to the configured broker.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let connected = connect(config, Arc::new(SystemClock)).await?;
        Ok(Self::new(connected))
    }

    /// A client of a connected broker.
    pub fn new(connected: Connected) -> Self {
        Self {
            connected,
            validation: ValidationMode::default(),
            on_duplicate: OnDuplicate::default(),
        }
    }

    /// Sets how messages are checked before they are queued. By default, arguments are checked.
    #[must_use]
    pub fn validation(self, mode: ValidationMode) -> Self {
        Self {
            validation: mode,
            ..self
        }
    }

    /// Sets what to do with messages whose ids, given by the caller ([`TaskMessage::with_id`]), are already there. By
    /// default they are not added again.
    #[must_use]
    pub fn on_duplicate(self, on_duplicate: OnDuplicate) -> Self {
        Self {
            on_duplicate,
            ..self
        }
    }

    /// The broker, for everything that a client doesn't offer.
    pub fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Checks a message and enqueues it; returns its id.
    ///
    /// # Errors
    /// See [`EnqueueError`]. If the broker did not answer, the message may have been added.
    pub async fn enqueue(&self, queue: &str, message: TaskMessage) -> Result<String, EnqueueError> {
        let mut ids = self.enqueue_many(queue, vec![message]).await?;
        Ok(ids
            .pop()
            .unwrap_or_else(|| unreachable!("one id for one message")))
    }

    /// Checks messages and enqueues them, all or none; returns their ids in order.
    ///
    /// # Errors
    /// See [`EnqueueError`]. If the broker did not answer, all of them may have been added.
    pub async fn enqueue_many(
        &self,
        queue: &str,
        mut messages: Vec<TaskMessage>,
    ) -> Result<Vec<String>, EnqueueError> {
        self.enqueue_each(queue, &mut messages).await?;
        Ok(messages
            .into_iter()
            .map(|message| message.id.into())
            .collect())
    }

    /// The same; says for each message whether it was added or was already there.
    ///
    /// # Errors
    /// See [`EnqueueError`]. If the broker did not answer, all of them may have been added.
    pub async fn enqueue_each(
        &self,
        queue: &str,
        messages: &mut [TaskMessage],
    ) -> Result<Vec<Enqueued>, EnqueueError> {
        let mut checks = Checks::new(self.connected.registry.as_ref(), self.validation);
        for message in &mut *messages {
            checks.check(message).await?;
        }
        let broker = &self.connected.broker;
        if messages.iter().any(|message| message.noted) {
            let answers = broker.enqueue_noted(queue, messages, self.on_duplicate);
            return Ok(answers.await?);
        }
        broker.enqueue(queue, messages).await?;
        Ok(vec![Enqueued::Added; messages.len()])
    }

    /// A task's result; `None` if the task has not finished, or the result has expired.
    ///
    /// # Errors
    /// If the broker can't be reached, or what it stores can't be read.
    pub async fn result(&self, id: &str) -> Result<Option<TaskResult>, BrokerError> {
        self.connected.results.result(id).await
    }

    /// Waits for a task's result; `None` if `timeout` passes first. The worker wakes the wait.
    ///
    /// # Errors
    /// If the broker can't be reached, or what it stores can't be read.
    pub async fn wait(
        &self,
        id: &str,
        timeout: Option<Duration>,
    ) -> Result<Option<TaskResult>, BrokerError> {
        self.connected.results.wait(id, timeout).await
    }

    /// Enqueues a typed call. [`Client::outcome`] waits for it.
    ///
    /// # Errors
    /// See [`EnqueueError`].
    pub async fn start<R>(&self, queue: &str, call: Call<R>) -> Result<Started<R>, EnqueueError> {
        let id = self.enqueue(queue, call.message.awaited()).await?;
        Ok(Started::new(id))
    }

    /// Waits for the result of a typed call.
    ///
    /// # Errors
    /// See [`CallError`], which includes a task that failed and one that has not ended in time.
    pub async fn outcome<R: DeserializeOwned>(
        &self,
        started: &Started<R>,
        timeout: Option<Duration>,
    ) -> Result<R, CallError> {
        let id = &started.id;
        call::read(id, self.wait(id, timeout).await?)
    }

    /// Enqueues a typed call and waits for its result.
    ///
    /// # Errors
    /// See [`CallError`], which includes a task that failed and one that has not ended in time.
    pub async fn call<R: DeserializeOwned>(
        &self,
        queue: &str,
        call: Call<R>,
        timeout: Option<Duration>,
    ) -> Result<R, CallError> {
        let id = call.message.id.clone();
        let result = self.run(queue, call.message, timeout).await?;
        call::read(&id, result)
    }

    /// Enqueues a message and waits for its result; `None` if `timeout` passes first. Faster than
    /// [`Client::enqueue`] and then [`Client::wait`]: the message names this process's inbox, to which the
    /// worker sends the result.
    ///
    /// # Errors
    /// See [`EnqueueError`]. A task that failed is not an error: its result says so.
    pub async fn run(
        &self,
        queue: &str,
        mut message: TaskMessage,
        timeout: Option<Duration>,
    ) -> Result<Option<TaskResult>, EnqueueError> {
        let begun = Instant::now();
        let left = || timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
        let reply = self.connected.results.inbox(&message.id).await;
        message.reply_to = reply.as_ref().map(|reply| reply.inbox().to_owned());
        let mut messages = [message.awaited()];
        let answers = self.enqueue_each(queue, &mut messages).await?;
        let [message] = messages;
        let id = message.id;
        // The result of a message that was already there may have been sent elsewhere.
        if let Some(reply) = reply.filter(|_| answers == [Enqueued::Added]) {
            let patience = left().unwrap_or(WAIT_POLL).min(WAIT_POLL);
            if let Ok(Some(result)) = tokio::time::timeout(patience, reply.ended()).await {
                return Ok(Some(result));
            }
        }
        // It takes longer, or the result was lost on its way to the inbox.
        Ok(self.wait(&id, left()).await?)
    }
}
