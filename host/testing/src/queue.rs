//! The shortest ways to ask a broker for things.
//!
//! Must not know which broker it is.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{
    BrokerConfig, BrokerError, Connected, Delivery, FetchRequest, QueueStats, ReclaimRequest,
    ResultRecord, SettleRequest, Settled, Settlement, SystemClock, TaskMessage, TaskState,
};
use tokio_util::sync::CancellationToken;

/// A broker, one queue and one consumer.
#[derive(Debug)]
pub struct Queue {
    /// The broker.
    pub connected: Connected,
    /// The queue's name.
    pub name: Arc<str>,
    /// Who fetches.
    pub consumer: Arc<str>,
}

/// A broker that goes by the system's clock.
///
/// # Errors
/// As [`chicory_queue::connect`].
pub async fn connect(config: &BrokerConfig) -> Result<Connected, BrokerError> {
    chicory_queue::connect(config, Arc::new(SystemClock)).await
}

impl Queue {
    /// The queue `default` of a broker that is there, and the consumer `one`.
    pub async fn open(config: &BrokerConfig) -> Self {
        Self {
            connected: connect(config).await.expect("the broker is there"),
            name: "default".into(),
            consumer: "one".into(),
        }
    }

    /// Enqueues all of these.
    pub async fn enqueue(&self, messages: &[TaskMessage]) {
        self.try_enqueue(messages).await.expect("enqueue");
    }

    /// The same, where it may fail.
    ///
    /// # Errors
    /// The broker's.
    pub async fn try_enqueue(&self, messages: &[TaskMessage]) -> Result<(), BrokerError> {
        self.connected.broker.enqueue(&self.name, messages).await
    }

    /// Fetches without waiting.
    pub async fn fetch(&self, limit: usize) -> Vec<Delivery> {
        self.try_fetch(limit, Duration::ZERO).await.expect("fetch")
    }

    /// Fetches, where it may fail, and waits for up to `block`.
    ///
    /// # Errors
    /// The broker's.
    pub async fn try_fetch(
        &self,
        limit: usize,
        block: Duration,
    ) -> Result<Vec<Delivery>, BrokerError> {
        let request = FetchRequest {
            queues: &[Arc::clone(&self.name)],
            consumer: &self.consumer,
            limit,
            bytes: usize::MAX,
            block,
            interrupt: &CancellationToken::new(),
        };
        self.connected.broker.fetch(request).await
    }

    /// Reclaims deliveries whose lease has expired.
    pub async fn reclaim(&self, limit: usize) -> Vec<Delivery> {
        let request = ReclaimRequest {
            queue: &self.name,
            consumer: &self.consumer,
            limit,
            bytes: usize::MAX,
        };
        self.connected
            .broker
            .reclaim(request)
            .await
            .expect("reclaim")
    }

    /// Settles all of these in the same way.
    pub async fn settle(&self, deliveries: &[Delivery], what: &Settlement) -> Vec<Settled> {
        let batch: Vec<SettleRequest<'_>> =
            deliveries.iter().map(|one| settle(one, what)).collect();
        self.settle_each(&batch).await
    }

    /// Settles each as it says.
    pub async fn settle_each(&self, batch: &[SettleRequest<'_>]) -> Vec<Settled> {
        self.connected.broker.settle(batch).await.expect("settle")
    }

    /// What is in the queue.
    pub async fn stats(&self) -> QueueStats {
        self.connected
            .inspect
            .stats(&self.name)
            .await
            .expect("stats")
    }
}

/// A message with this id.
pub fn message(id: &str) -> TaskMessage {
    let mut message = TaskMessage::new("suite.task");
    message.id = id.into();
    message
}

/// Messages whose ids start with `prefix`, in order.
pub fn messages(prefix: &str, count: usize) -> Vec<TaskMessage> {
    (0..count)
        .map(|number| message(&format!("{prefix}{number}")))
        .collect()
}

/// The settlement of a delivery, without a result.
pub fn settle(delivery: &Delivery, what: &Settlement) -> SettleRequest<'static> {
    SettleRequest {
        lease: Cow::Owned(delivery.lease.clone()),
        raw: Cow::Owned(delivery.raw.to_vec()),
        task_id: delivery.task_id.to_string().into(),
        task_name: "suite.task".into(),
        retries: 2,
        settlement: Cow::Owned(what.clone()),
        record: None,
    }
}

/// The settlement of a delivery whose task returned 1, with its result.
pub fn completion(delivery: &Delivery) -> SettleRequest<'static> {
    SettleRequest {
        record: Some(success(&delivery.task_id)),
        ..settle(delivery, &Settlement::Complete)
    }
}

/// What is written for a task that returned 1.
pub fn success(task_id: &str) -> ResultRecord<'static> {
    ResultRecord {
        tenant: chicory_queue::TenantName::default(),
        task_id: task_id.to_owned().into(),
        state: TaskState::Success,
        body: Some(
            format!(
                r#"{{"task_id":"{task_id}","state":"SUCCESS","result":1,"error":null,"traceback":null}}"#
            )
            .into(),
        ),
        reply_to: None,
    }
}
