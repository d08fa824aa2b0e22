//! The broker's verbs: each one arrow in a message's life, atomic, conditional on the lease.
//!
//! Must not know which brokers there are, except in [`connect`], which picks the configured one.

#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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

/// Says that a message became due earlier than the promoter may have known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// The queue.
    pub queue: Arc<str>,
    /// When the message is due.
    pub due: Timestamp,
}

/// The hot path. All times come from the broker's [`Clock`], except leases, which the store times itself.
#[async_trait]
pub trait Broker: Debug + Send + Sync {
    /// How long a lease lasts unless it is extended. The broker's configuration is its only source.
    fn lease_duration(&self) -> Duration;

    /// Adds messages, all or none: those with an `eta` ahead are delayed, the others are ready.
    async fn enqueue(&self, queue: &str, messages: &[TaskMessage]) -> Result<(), BrokerError>;

    /// Leases up to `limit` ready messages, waiting for the first.
    async fn fetch(&self, request: FetchRequest<'_>) -> Result<Vec<Delivery>, BrokerError>;

    /// Restarts the leases that are still held. One answer per lease, in order.
    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError>;

    /// Applies the settlements whose lease is still held, each with its result. Those of one queue and consumer
    /// are applied in the order of the batch. One answer each, in order.
    async fn settle(&self, batch: &[SettleRequest<'_>]) -> Result<Vec<Settled>, BrokerError>;

    /// Acknowledges before the task runs (at most once). One answer per lease, in order.
    async fn acknowledge(&self, leases: &[Lease]) -> Result<Vec<Settled>, BrokerError>;

    /// Makes up to `limit` due messages ready. Returns their number, and when the next message is due.
    async fn promote(
        &self,
        queue: &str,
        limit: usize,
    ) -> Result<(usize, Option<Timestamp>), BrokerError>;

    /// Reclaims deliveries whose lease has expired: the caller holds their leases now.
    async fn reclaim(&self, request: ReclaimRequest<'_>) -> Result<Vec<Delivery>, BrokerError>;

    /// Wake-ups for a promoter of these queues. Some may be lost, so look at least once a second as well.
    async fn subscribe(&self, queues: &[Arc<str>]) -> Result<mpsc::Receiver<Wake>, BrokerError>;
}

/// A broker, what operators ask of it, and where its results go.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The hot path.
    pub broker: Arc<dyn Broker>,
    /// For operators.
    pub inspect: Arc<dyn Inspect>,
    /// Results, states and heartbeats.
    pub results: Arc<dyn Results>,
    /// The modules that the fleet runs.
    pub registry: Arc<dyn Registry>,
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
