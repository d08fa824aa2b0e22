//! The broker's verbs: each is one arrow in a message's life, atomic, and conditional on the lease.
//!
//! Must not know which brokers there are, except in [`connect`], which picks the configured one.

#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tenants;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chicory_signature::TenantName;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::tenants::Tenants;
use crate::{
    BrokerConfig, BrokerError, Clock, Delivery, Inspect, Lease, Registry, Results, SettleRequest,
    Settled, TaskMessage, Timestamp,
};

/// What a consumer asks for.
#[derive(Debug)]
pub struct FetchRequest<'a> {
    /// The queues, all with equal priority.
    pub queues: &'a [Arc<str>],
    /// The consumer's name, unique among live consumers.
    pub consumer: &'a Arc<str>,
    /// Maximum number of deliveries (at least 1).
    pub limit: usize,
    /// Maximum number of bytes of all messages. The first is delivered even if it has more.
    pub bytes: usize,
    /// How long to wait for the first delivery; zero means not at all.
    pub block: Duration,
    /// Ends the wait early. Anything delivered by then is returned, never dropped.
    pub interrupt: &'a CancellationToken,
}

/// Asks for deliveries whose lease has expired.
#[derive(Debug, Clone, Copy)]
pub struct ReclaimRequest<'a> {
    /// The queue.
    pub queue: &'a Arc<str>,
    /// The consumer that reclaims.
    pub consumer: &'a Arc<str>,
    /// Maximum number of deliveries.
    pub limit: usize,
    /// Maximum number of bytes of all messages. The first is delivered even if it has more.
    pub bytes: usize,
}

/// What to do with a message whose id is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDuplicate {
    /// It is not added, and answered with [`Enqueued::Present`].
    #[default]
    Return,
    /// None of the call's messages is added.
    Reject,
    /// It is added, and the result of the earlier one is deleted.
    Run,
}

impl OnDuplicate {
    /// Its name in flags and scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::Reject => "reject",
            Self::Run => "run",
        }
    }
}

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It was added.
    Added,
    /// A message with its id is already there.
    Present,
}

/// What a promotion did and found. Times are by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Promoted {
    /// Number of messages that are ready now.
    pub moved: usize,
    /// When the next message is due.
    pub next: Option<Timestamp>,
    /// What the clock showed.
    pub now: Timestamp,
}

/// Says that a message became due earlier than the promoter may have known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// The queue.
    pub queue: Arc<str>,
    /// When the message is due, by the store's clock.
    pub due: Timestamp,
}

/// The hot path. The store's clock decides when a message is due and when a lease ends. The broker's [`Clock`] only
/// tells how far ahead a time is that a caller has computed by that same clock.
#[async_trait]
pub trait Broker: Debug + Send + Sync {
    /// How long a lease lasts unless it is extended. The broker's configuration is its only source.
    fn lease_duration(&self) -> Duration;

    /// Adds all the messages, or none: those with an `eta` in the future are delayed, the others are ready.
    async fn enqueue(&self, queue: &str, messages: &[TaskMessage]) -> Result<(), BrokerError>;

    /// The same for messages of which some have ids that their queue keeps track of ([`TaskMessage::with_id`]). Such an
    /// id is taken while a message with it is ready, delayed or leased in this queue, and after its end for as long as
    /// results are kept, even if it has none. It is also taken, in any queue, while there is a result for it. One
    /// answer per message, in order.
    ///
    /// # Errors
    /// [`BrokerError::DuplicateId`] if an id is taken and duplicates are rejected: then nothing was added.
    async fn enqueue_noted(
        &self,
        queue: &str,
        messages: &[TaskMessage],
        on_duplicate: OnDuplicate,
    ) -> Result<Vec<Enqueued>, BrokerError>;

    /// Leases up to `limit` ready messages, waiting for the first.
    async fn fetch(&self, request: FetchRequest<'_>) -> Result<Vec<Delivery>, BrokerError>;

    /// Restarts the leases that are still held. One answer per lease, in order.
    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError>;

    /// Applies the settlements whose leases are still held, each with its result. Those of one queue and consumer
    /// are applied in the order of the batch. One answer each, in order.
    async fn settle(&self, batch: &[SettleRequest<'_>]) -> Result<Vec<Settled>, BrokerError>;

    /// Acknowledges before the task runs (at most once). One answer per lease, in order. If there was no answer, the same may be
    /// asked again until there is one, before the consumer asks about other leases of the queue: what was acknowledged for it
    /// is then [`Settled::Applied`] as well.
    async fn acknowledge(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError>;

    /// Makes up to `limit` messages of these queues ready that are due by the store's clock.
    async fn promote(&self, queues: &[Arc<str>], limit: usize) -> Result<Promoted, BrokerError>;

    /// Splits the queues into groups. A call about one group never waits for the servers of another.
    fn groups<'a>(&self, queues: &'a [Arc<str>]) -> Vec<&'a [Arc<str>]> {
        vec![queues]
    }

    /// Reclaims deliveries whose leases have expired; the caller holds their leases from then on.
    async fn reclaim(&self, request: ReclaimRequest<'_>) -> Result<Vec<Delivery>, BrokerError>;

    /// Wake-ups for a promoter of these queues. Some may be lost, so also look at least once a second.
    async fn subscribe(&self, queues: &[Arc<str>]) -> Result<mpsc::Receiver<Wake>, BrokerError>;
}

/// A broker, what operators can ask it, and where its results go.
#[derive(Debug, Clone)]
pub struct Connected {
    /// Whose view of the store this is; the default tenant's is what [`connect`] returns.
    pub tenant: TenantName,
    /// The hot path.
    pub broker: Arc<dyn Broker>,
    /// For operators.
    pub inspect: Arc<dyn Inspect>,
    /// Results, states and heartbeats.
    pub results: Arc<dyn Results>,
    /// The modules that the fleet runs; of a tenant's view, its own.
    pub registry: Arc<dyn Registry>,
    /// The tenants, and the views of this store that they have.
    pub tenants: Arc<dyn Tenants>,
}

/// Connects to the configured broker.
///
/// # Errors
/// [`BrokerError::Unavailable`] if the server is not there yet, [`BrokerError::Refused`] if it refuses the
/// configuration, [`BrokerError::Invalid`] if this crate was built without the broker.
///
/// ```
/// use std::sync::Arc;
///
/// use chicory_queue::{BrokerConfig, SystemClock, TaskMessage, connect};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}", folder.path().join("queue.db").display());
/// // Or "redis://localhost:6379".
/// let config = BrokerConfig::of_url(&url)?;
/// let connected = connect(&config, Arc::new(SystemClock)).await?;
/// connected.broker.enqueue("default", &[TaskMessage::new("demo.add")]).await?;
/// assert_eq!(connected.inspect.stats("default").await?.ready(), 1);
/// # Ok(())
/// # }
/// ```
pub async fn connect(
    config: &BrokerConfig,
    clock: Arc<dyn Clock>,
) -> Result<Connected, BrokerError> {
    match config {
        #[cfg(feature = "redis")]
        BrokerConfig::Redis(redis, results) => redis::connect(redis, results, clock).await,
        #[cfg(feature = "sqlite")]
        BrokerConfig::Sqlite(sqlite) => sqlite::connect(sqlite, clock).await,
        #[cfg(not(all(feature = "redis", feature = "sqlite")))]
        _ => {
            drop(clock);
            Err(BrokerError::Invalid(
                "this program was built without the configured broker: enable the feature `redis` or `sqlite` of chicory-queue".into(),
            ))
        }
    }
}
