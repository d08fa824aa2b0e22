//! A worker's life: the duties start, serve, and stop in order.
//!
//! Must not know what a duty does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_channel::Receiver;
use chicory_queue::{Clock, Connected, SystemClock};
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::alarm::watched;
use crate::attempt::Concluded;
use crate::context::{Counts, WorkerContext};
use crate::decoding::Decoding;
use crate::drain::{Left, drained, release_rest};
use crate::duty::{acknowledge, clean, fetch, heartbeat, promote, renew, settle};
use crate::health::Health;
use crate::lane::Lanes;
use crate::stop::Phase;
use crate::unacknowledged::{Unacknowledged, Waiting};
use crate::work::WorkQueue;
use crate::{Observer, Runner, Stop, Summary, WorkerConfig, WorkerError};

/// Takes messages from queues and runs them, until it is stopped.
///
/// ```
/// use std::sync::Arc;
/// use chicory_queue::{BrokerConfig, Failure, SqliteConfig, SystemClock, TaskMessage, connect};
/// use chicory_worker::{Call, NativeTasks, Stop, Worker, WorkerConfig};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let folder = tempfile::tempdir()?;
/// let broker = BrokerConfig::Sqlite(SqliteConfig::new(folder.path().join("queue.db")));
/// let connected = connect(&broker, Arc::new(SystemClock)).await?;
///
/// let tasks = NativeTasks::new().add("greet.hello", |call: Call| async move {
///     let (name,): (String,) = call.args()?;
///     Ok::<_, Failure>(format!("Hello, {name}"))
/// });
/// let worker = Worker::new(connected.clone(), Arc::new(tasks), WorkerConfig::default());
/// let stop = Stop::new();
/// let serving = tokio::spawn(worker.run(stop.clone()));
///
/// let message = TaskMessage::new("greet.hello").args(["Ada".into()]);
/// connected.broker.enqueue("default", std::slice::from_ref(&message)).await?;
/// let result = connected.results.wait(&message.id, None).await?.expect("it waits until there is one");
/// assert_eq!(result.result, Some("Hello, Ada".into()));
///
/// stop.drain();
/// assert_eq!(serving.await??.processed, 1);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Worker {
    connected: Connected,
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    config: WorkerConfig,
    observer: Option<Arc<dyn Observer>>,
    duties: Vec<Duty>,
}

/// A duty in addition to those of every worker. It runs until it is dropped.
type Duty = Box<dyn FnOnce(Arc<WorkerContext>) -> BoxFuture<'static, ()> + Send>;

impl Worker {
    /// A worker that has not started, on the system's clock.
    pub fn new(connected: Connected, runner: Arc<dyn Runner>, config: WorkerConfig) -> Self {
        Self {
            connected,
            runner,
            clock: Arc::new(SystemClock),
            config,
            observer: None,
            duties: Vec::new(),
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Reports everything that happens to `observer`, replacing one given before.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Makes it serve what the registry says, except what is already in the catalog.
    #[cfg(feature = "sandbox")]
    #[must_use]
    pub fn in_fleet(mut self, fleet: crate::Fleet) -> Self {
        let follow = |context| crate::duty::follow::follow(fleet, context);
        self.duties
            .push(Box::new(move |context| Box::pin(follow(context))));
        self
    }

    /// Serves until `stop` is used, then stops in order. Waits for a broker that is away.
    ///
    /// # Errors
    /// If the threads that run tasks can't be started, or a part of the worker has panicked: other workers then reclaim
    /// what it held once the leases have expired.
    pub async fn run(mut self, stop: Stop) -> Result<Summary, WorkerError> {
        let duties = std::mem::take(&mut self.duties);
        let (context, asked) = self.context();
        let context = Arc::new(context);
        let lanes = Lanes::start(&context).map_err(WorkerError::Threads)?;
        let serving = Serving::start(&context, asked, duties);
        context.tell(Observer::serving);
        tokio::select! {
            () = stop.reached(Phase::Draining) => {}
            () = context.broken.cancelled() => {
                serving.abort();
                return Err(WorkerError::Panicked);
            }
        }
        context.tell(Observer::draining);
        let left = serving.stop(&context, &stop, lanes).await?;
        let summary = Summary {
            processed: context.counts.processed.load(Ordering::Relaxed),
            failed: context.counts.failed.load(Ordering::Relaxed),
            released: left.released,
            unsettled: left.unsettled,
        };
        context.tell(|observer| observer.stopped(summary));
        Ok(summary)
    }

    fn context(self) -> (WorkerContext, Asked) {
        let concurrency = self.config.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        // Room for a few round trips of outcomes; with more, they would pile up while a broker is away.
        let (concluded, outcomes) = async_channel::bounded(BATCHES);
        let (unacknowledged, waiting) = Unacknowledged::new();
        let context = WorkerContext {
            queues: (self.config.queues.iter())
                .map(|queue| Arc::from(queue.as_str()))
                .collect(),
            consumer: Arc::from(self.config.worker_id.as_str()),
            lease: self.connected.broker.lease_duration(),
            permits: Arc::new(Semaphore::new(concurrency)),
            held: Arc::default(),
            closing: CancellationToken::new(),
            broken: CancellationToken::new(),
            listens: AtomicBool::new(false),
            counts: Counts::default(),
            health: Health::default(),
            started_at: self.clock.now(),
            work: Arc::new(WorkQueue::new(self.config.threads)),
            decoding: Decoding::default(),
            connected: self.connected,
            runner: self.runner,
            clock: self.clock,
            observer: self.observer,
            config: self.config,
            unacknowledged,
            concluded,
        };
        let asked = Asked { outcomes, waiting };
        (context, asked)
    }
}

/// What the lanes hand to the duties.
struct Asked {
    /// Attempts to be settled.
    outcomes: Receiver<Vec<Concluded>>,
    /// Calls to be acknowledged before they start.
    waiting: mpsc::UnboundedReceiver<Waiting>,
}

/// The running duties.
struct Serving {
    interrupt: CancellationToken,
    fetching: tokio::task::JoinHandle<()>,
    settling: tokio::task::JoinHandle<()>,
    /// They bring new work, and end first.
    takers: JoinSet<()>,
    /// They are needed until everything is settled.
    keepers: JoinSet<()>,
}

impl Serving {
    fn start(context: &Arc<WorkerContext>, asked: Asked, duties: Vec<Duty>) -> Self {
        let shared = || Arc::clone(context);
        let broken = || context.broken.clone();
        let interrupt = CancellationToken::new();
        let fetch = fetch::fetch(shared(), interrupt.clone());
        let settle = settle::settle(shared(), asked.outcomes);
        let acknowledge = acknowledge::acknowledge(shared(), asked.waiting);
        let mut takers = JoinSet::new();
        takers.spawn(watched(broken(), promote::promote(shared())));
        takers.spawn(watched(broken(), clean::clean(shared())));
        for duty in duties {
            takers.spawn(watched(broken(), duty(shared())));
        }
        let mut keepers = JoinSet::new();
        keepers.spawn(watched(broken(), acknowledge));
        keepers.spawn(watched(broken(), renew::renew(shared())));
        keepers.spawn(watched(broken(), heartbeat::heartbeat(shared())));
        Self {
            interrupt,
            fetching: tokio::spawn(watched(broken(), fetch)),
            settling: tokio::spawn(watched(broken(), settle)),
            takers,
            keepers,
        }
    }

    fn abort(&self) {
        self.fetching.abort();
        self.settling.abort();
    }

    /// Ends the duties in order, each step within its time limit, whether or not the broker answers.
    async fn stop(
        mut self,
        context: &Arc<WorkerContext>,
        stop: &Stop,
        lanes: Lanes,
    ) -> Result<Left, WorkerError> {
        self.interrupt.cancel();
        self.takers.shutdown().await;
        let timeout = context.config.shutdown_timeout;
        drained(context, &mut self.fetching, stop, timeout).await;
        let end = Instant::now() + GRACE;
        if !self.fetching.is_finished() {
            let _ = tokio::time::timeout(INTERRUPT_TIMEOUT, &mut self.fetching).await;
            self.fetching.abort();
        }
        tokio::task::spawn_blocking(move || lanes.stop(INTERRUPT_TIMEOUT))
            .await
            .map_err(|_| WorkerError::Panicked)?;
        let left = finish(context, self.settling, end).await;
        self.keepers.shutdown().await;
        sign_off(context, end).await;
        Ok(left)
    }
}

/// Maximum number of batches of outcomes that wait to be settled.
const BATCHES: usize = 64;
/// Sandboxes yield every few milliseconds; one that hasn't by then is not waited for. Nor is a fetch whose broker does
/// not answer.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for everything after the drain: a broker that does not answer must not keep a worker from ending.
const GRACE: Duration = Duration::from_millis(4500);
/// The part of it that is reserved for releasing unfinished tasks.
const RELEASE: Duration = Duration::from_millis(750);

/// Settles what has ended, then releases the rest.
async fn finish(
    context: &Arc<WorkerContext>,
    settling: tokio::task::JoinHandle<()>,
    end: Instant,
) -> Left {
    context.closing.cancel();
    let abort = settling.abort_handle();
    let until = end.checked_sub(RELEASE).unwrap_or(end);
    if tokio::time::timeout_at(until, settling).await.is_err() {
        abort.abort();
    }
    release_rest(context, end).await
}

/// Reports that the worker and its consumers are gone.
async fn sign_off(context: &WorkerContext, end: Instant) {
    let signing = async {
        let Connected {
            inspect, results, ..
        } = &context.connected;
        let own = [context.config.worker_id.clone()];
        let consumers = (context.queues.iter()).map(|queue| inspect.remove_consumers(queue, &own));
        for answer in futures::future::join_all(consumers).await {
            context.note(answer);
        }
        context.note(results.sign_off(&context.config.worker_id).await);
    };
    if tokio::time::timeout_at(end, signing).await.is_err() {
        tracing::warn!("the broker did not confirm the sign-off in time");
    }
}
