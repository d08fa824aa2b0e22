//! A worker's life: the duties start, serve, and stop in order.
//!
//! Must not know what a duty does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_channel::Receiver;
use chicory_queue::{Clock, Connected};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alarm::watched;
use crate::attempt::{Finished, Ready};
use crate::context::{Counts, WorkerContext};
use crate::drain::{release_rest, wait_for_tasks};
use crate::duty::{clean, fetch, follow, heartbeat, promote, renew, settle};
use crate::health::Health;
use crate::held::HeldDeliveries;
use crate::lane;
use crate::observer::Events;
use crate::stop::Phase;
use crate::{Catalog, Fleet, Runner, Stop, WorkerConfig, WorkerEvent};

/// Takes messages from queues and runs them, until it is stopped.
pub struct Worker {
    connected: Connected,
    runner: Arc<dyn Runner>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    config: WorkerConfig,
    events: Events,
    fleet: Option<Fleet>,
}

/// What a worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Tries that ended.
    pub processed: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Tasks given back unfinished.
    pub released: usize,
}

impl Worker {
    /// A worker that has not started.
    pub fn new(
        connected: Connected,
        runner: Arc<dyn Runner>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        config: WorkerConfig,
    ) -> Self {
        Self {
            connected,
            runner,
            catalog,
            clock,
            config,
            events: Events::new(),
            fleet: None,
        }
    }

    /// Makes it serve what the registry says, as far as it is not in the catalog already.
    #[must_use]
    pub fn in_fleet(mut self, fleet: Fleet) -> Self {
        self.fleet = Some(fleet);
        self
    }

    /// What happens from now on. A reader who is too slow is told how much it missed.
    pub fn events(&self) -> broadcast::Receiver<WorkerEvent> {
        self.events.subscribe()
    }

    /// Serves until `stop` is used, then stops in order.
    ///
    /// # Errors
    /// When threads for sandboxes can't be started, and when a part of the worker has panicked: what it had in hand is
    /// then taken over by others, once the leases have expired. A broker that is away is waited for.
    pub async fn run(mut self, stop: Stop) -> anyhow::Result<Summary> {
        let sandboxes = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.config.threads.max(1))
            .thread_name("sandbox")
            .enable_all()
            .build()
            .context("can't start the threads for sandboxes")?;
        let threads = self.config.threads.max(1);
        let fleet = self.fleet.take();
        let (context, ready, finished) = self.context(fleet.is_some(), sandboxes.handle().clone());
        let context = Arc::new(context);
        start_lanes(&context, &ready, threads);
        let broken = || context.broken.clone();
        let interrupt = CancellationToken::new();
        let fetch = fetch::fetch(Arc::clone(&context), interrupt.clone());
        let fetching = tokio::spawn(watched(broken(), fetch));
        let settle = settle::settle(Arc::clone(&context), finished);
        let settling = tokio::spawn(watched(broken(), settle));
        let mut takers = JoinSet::new();
        takers.spawn(watched(broken(), promote::promote(Arc::clone(&context))));
        takers.spawn(watched(broken(), clean::clean(Arc::clone(&context))));
        if let Some(fleet) = fleet {
            takers.spawn(watched(
                broken(),
                follow::follow(fleet, Arc::clone(&context)),
            ));
        }
        let mut keepers = JoinSet::new();
        keepers.spawn(watched(broken(), renew::renew(Arc::clone(&context))));
        keepers.spawn(watched(
            broken(),
            heartbeat::heartbeat(Arc::clone(&context)),
        ));
        context.events.send(|| WorkerEvent::Started);

        tokio::select! {
            () = stop.reached(Phase::Draining) => {}
            () = context.broken.cancelled() => {
                fetching.abort();
                settling.abort();
                sandboxes.shutdown_background();
                bail!("a part of the worker has panicked, as said above; what it had in hand is taken over once its leases expire");
            }
        }
        context.events.send(|| WorkerEvent::Draining);
        interrupt.cancel();
        takers.shutdown().await;
        // The fetch returns what it was just given, and that is started: it has its permits.
        let _ = fetching.await;
        heartbeat::beat(&context, false).await;
        wait_for_tasks(&context, &stop, context.config.shutdown_timeout).await;
        tokio::task::spawn_blocking(move || sandboxes.shutdown_timeout(INTERRUPT_TIMEOUT)).await?;
        let released = finish(&context, settling).await;
        keepers.shutdown().await;
        sign_off(&context).await;
        context.events.send(|| WorkerEvent::Stopped);
        Ok(Summary {
            processed: context.counts.processed.load(Ordering::Relaxed),
            failed: context.counts.failed.load(Ordering::Relaxed),
            released,
        })
    }

    fn context(
        self,
        in_fleet: bool,
        sandboxes: Handle,
    ) -> (WorkerContext, Receiver<Ready>, Receiver<Vec<Finished>>) {
        let concurrency = self.config.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let (ready, readies) = async_channel::unbounded();
        // Room for a few round trips of ends: more would let a broker that is away pile them up.
        let (finished, ends) = async_channel::bounded(BATCHES);
        let context = WorkerContext {
            queues: self
                .config
                .queues
                .iter()
                .map(|queue| Arc::from(queue.as_str()))
                .collect(),
            consumer: Arc::from(self.config.worker_id.as_str()),
            permits: Arc::new(Semaphore::new(concurrency)),
            held: HeldDeliveries::default(),
            closing: CancellationToken::new(),
            broken: CancellationToken::new(),
            counts: Counts::default(),
            health: Health::default(),
            started_at: self.clock.now(),
            in_fleet,
            sandboxes,
            connected: self.connected,
            catalog: self.catalog,
            runner: self.runner,
            clock: self.clock,
            events: self.events,
            config: self.config,
            ready,
            finished,
        };
        (context, readies, ends)
    }
}

fn start_lanes(context: &Arc<WorkerContext>, ready: &Receiver<Ready>, count: usize) {
    for _ in 0..count {
        let lane = watched(
            context.broken.clone(),
            lane::lane(Arc::clone(context), ready.clone()),
        );
        // Without the executor's budget: a lane looks at the clock itself.
        context.sandboxes.spawn(tokio::task::unconstrained(lane));
    }
}

/// Batches of ends that may wait to be settled.
const BATCHES: usize = 64;
/// Sandboxes yield every few milliseconds; one that does not by then is not waited for.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(1);
/// What ended in the last moments has this long to be settled.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Settles what has ended, then gives back the rest.
async fn finish(context: &Arc<WorkerContext>, settling: tokio::task::JoinHandle<()>) -> usize {
    context.closing.cancel();
    let abort = settling.abort_handle();
    if tokio::time::timeout(SETTLE_TIMEOUT, settling)
        .await
        .is_err()
    {
        abort.abort();
        tracing::warn!("the broker did not take the last settlements in time; their leases expire");
    }
    release_rest(context).await
}

async fn sign_off(context: &WorkerContext) {
    let signing = context
        .connected
        .results
        .sign_off(&context.config.worker_id);
    match tokio::time::timeout(SETTLE_TIMEOUT, signing).await {
        Ok(answer) => drop(context.note(answer)),
        Err(_) => tracing::warn!("the broker did not take the sign-off in time"),
    }
}
