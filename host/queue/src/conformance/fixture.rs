//! What a promise works with: a broker, a clock that it can move, and shortcuts for the usual requests.
//!
//! Must not assert anything about brokers; each promise states its own expectations.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::{
    BrokerError, Clock, Connected, Delivery, FetchRequest, ManualClock, RawJson, ReclaimRequest,
    ResultRecord, SettleRequest, Settled, Settlement, SharedStr, TaskMessage, TaskState, Timestamp,
};

/// No promise takes nearly as long. Whatever takes longer won't happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What a promise may set on a broker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a lease lasts.
    pub lease: Duration,
    /// Maximum number of ready and leased messages in a queue.
    pub max_length: Option<u64>,
    /// Maximum number of dead letters in a queue.
    pub dlq_max_length: Option<u64>,
    /// How long results are kept, in whole seconds.
    pub result_ttl: Duration,
}

/// Opens a connection to the fixture's store, each as if in a process of its own.
pub type Open = Arc<
    dyn Fn(Settings, Arc<dyn Clock>) -> BoxFuture<'static, Result<Connected, BrokerError>>
        + Send
        + Sync,
>;

/// A broker on an empty store, and what else a promise needs.
pub struct Fixture {
    /// The broker.
    pub connected: Connected,
    /// Its clock. Leases don't use it.
    pub clock: Arc<ManualClock>,
    /// How long a lease lasts: a short, real time.
    pub lease: Duration,
    /// The queue to use.
    pub queue: Arc<str>,
    open: Open,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture")
            .field("connected", &self.connected)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl Fixture {
    /// Opens the empty store.
    pub async fn new(open: Open) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(
            1_900_000_000_000_000,
        )));
        let settings = Settings::default();
        let lease = settings.lease;
        let connected = open(settings, clock.clone())
            .await
            .expect("the broker opens");
        Self {
            connected,
            clock,
            lease,
            queue: "default".into(),
            open,
        }
    }

    /// Opens another connection to the same store.
    pub(super) async fn again(&self, settings: Settings) -> Connected {
        (self.open)(settings, self.clock.clone())
            .await
            .expect("the broker opens once more")
    }

    /// The fixture with another connection instead of the first.
    pub(super) async fn set(&self, settings: Settings) -> Self {
        Self {
            lease: settings.lease,
            connected: self.again(settings).await,
            clock: self.clock.clone(),
            queue: self.queue.clone(),
            open: self.open.clone(),
        }
    }

    /// A time ahead of the clock.
    pub(super) fn ahead(&self, seconds: u64) -> Timestamp {
        self.clock.now().after(Duration::from_secs(seconds))
    }

    pub(super) async fn enqueue(&self, messages: &[TaskMessage]) {
        self.connected
            .broker
            .enqueue(&self.queue, messages)
            .await
            .expect("enqueue");
    }

    /// Fetches without waiting.
    pub(super) async fn fetch(&self, consumer: &str, limit: usize) -> Vec<Delivery> {
        let queues = [self.queue.clone()];
        fetch(&self.connected, &queues, consumer, limit, Duration::ZERO).await
    }

    /// Enqueues a message and fetches it.
    pub(super) async fn deliver(&self, message: &TaskMessage, consumer: &str) -> Delivery {
        self.enqueue(std::slice::from_ref(message)).await;
        let mut deliveries = self.fetch(consumer, 1).await;
        let delivery = deliveries.pop().expect("a ready message is delivered");
        assert_eq!(delivery.task_id, message.id);
        delivery
    }

    pub(super) async fn settle(&self, settle: SettleRequest<'_>) -> Settled {
        let answers = self.connected.broker.settle(&[settle]).await;
        let answers = answers.expect("settle");
        assert_eq!(answers.len(), 1, "one answer for each settlement");
        answers[0]
    }

    pub(super) async fn reclaim(&self, consumer: &str, limit: usize) -> Vec<Delivery> {
        let consumer: Arc<str> = consumer.into();
        let request = ReclaimRequest {
            queue: &self.queue,
            consumer: &consumer,
            limit,
            bytes: usize::MAX,
        };
        let deliveries = self.connected.broker.reclaim(request).await;
        deliveries.expect("reclaim")
    }

    /// Reclaims until there is something.
    pub(super) async fn reclaimed(&self, consumer: &str, limit: usize) -> Vec<Delivery> {
        eventually("an expired lease is reclaimed", || async {
            Some(self.reclaim(consumer, limit).await).filter(|got| !got.is_empty())
        })
        .await
    }

    pub(super) async fn promote(&self, limit: usize) -> (usize, Option<Timestamp>) {
        let queues = [self.queue.clone()];
        let promoted = self.connected.broker.promote(&queues, limit).await;
        let promoted = promoted.expect("promote");
        assert_eq!(promoted.now, self.clock.now());
        (promoted.moved, promoted.next)
    }

    pub(super) async fn stats(&self) -> crate::QueueStats {
        self.connected
            .inspect
            .stats(&self.queue)
            .await
            .expect("stats")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_millis(200),
            max_length: None,
            dlq_max_length: Some(10_000),
            result_ttl: Duration::from_mins(10),
        }
    }
}

pub(super) async fn fetch(
    connected: &Connected,
    queues: &[Arc<str>],
    consumer: &str,
    limit: usize,
    block: Duration,
) -> Vec<Delivery> {
    let consumer: Arc<str> = consumer.into();
    let request = FetchRequest {
        queues,
        consumer: &consumer,
        limit,
        bytes: usize::MAX,
        block,
        interrupt: &CancellationToken::new(),
    };
    connected.broker.fetch(request).await.expect("fetch")
}

/// Asks again and again until there is an answer.
pub(super) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, asking).await
}

/// The future's value; panics if it doesn't arrive.
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else {
        panic!("broken promise: {what}, but not within {PATIENCE:?}");
    };
    value
}

/// A message with this id.
pub(super) fn message(id: impl Into<SharedStr>) -> TaskMessage {
    let mut message = TaskMessage::new("suite.task");
    message.id = id.into();
    message
}

/// Messages with ids of this prefix, in order.
pub(super) fn messages(prefix: &str, count: usize) -> Vec<TaskMessage> {
    (0..count)
        .map(|number| message(format!("{prefix}{number:05}")))
        .collect()
}

/// A message that every reader refuses.
pub(super) fn unreadable(id: &str) -> TaskMessage {
    let mut message = message(id);
    message
        .extra
        .push(("format".into(), RawJson::from(&7.into())));
    message
}

pub(super) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.task_id.as_str())
        .collect()
}

pub(super) fn sent(messages: &[TaskMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.id.as_str()).collect()
}

/// The message in a delivery.
pub(super) fn carried(delivery: &Delivery) -> &TaskMessage {
    match &delivery.payload {
        crate::Payload::Message(message) => message,
        crate::Payload::Encoded => panic!("{} is not decoded", delivery.task_id),
        crate::Payload::Unreadable(error) => panic!("{}: {error}", delivery.task_id),
    }
}

/// The settlement of a delivery, without a result.
pub(super) fn settle(delivery: &Delivery, settlement: Settlement) -> SettleRequest<'static> {
    SettleRequest {
        lease: Cow::Owned(delivery.lease.clone()),
        raw: Cow::Owned(delivery.raw.to_vec()),
        task_id: delivery.task_id.to_string().into(),
        task_name: "suite.task".into(),
        retries: 3,
        settlement: Cow::Owned(settlement),
        record: None,
    }
}

/// The settlement that gives up on a message.
pub(super) fn give_up(delivery: &Delivery, failed_at: Timestamp) -> SettleRequest<'static> {
    let error = "Broken: it is".to_owned();
    settle(delivery, Settlement::DeadLetter { error, failed_at })
}

/// What is written for a task that returned 42.
pub(super) fn success(task_id: &str) -> ResultRecord<'static> {
    ResultRecord {
        tenant: crate::TenantName::default(),
        task_id: task_id.to_owned().into(),
        state: TaskState::Success,
        body: Some(format!(
            r#"{{"task_id":"{task_id}","state":"SUCCESS","result":42,"error":null,"traceback":null}}"#
        ).into()),
        reply_to: None,
    }
}
