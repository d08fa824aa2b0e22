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
use crate::drain::{Phase, release_rest, wait_for_tasks};
use crate::event::Events;
use crate::execute::Finished;
use crate::fleet::{Fleet, follow};
use crate::lane::{self, Ready};
use crate::shift::{Counts, Health, HeldDeliveries, Shift};
use crate::{
    Catalog, Runner, Stop, WorkerConfig, WorkerEvent, fetch, heartbeat, promote, renew, settle,
};

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
        let (shift, ready, finished) = self.shift(fleet.is_some(), sandboxes.handle().clone());
        let shift = Arc::new(shift);
        start_lanes(&shift, &ready, threads);
        let broken = || shift.broken.clone();
        let interrupt = CancellationToken::new();
        let fetch = fetch::fetch(Arc::clone(&shift), interrupt.clone());
        let fetching = tokio::spawn(watched(broken(), fetch));
        let settle = settle::settle(Arc::clone(&shift), finished);
        let settling = tokio::spawn(watched(broken(), settle));
        let mut takers = JoinSet::new();
        takers.spawn(watched(broken(), promote::promote(Arc::clone(&shift))));
        takers.spawn(watched(broken(), heartbeat::clean(Arc::clone(&shift))));
        if let Some(fleet) = fleet {
            takers.spawn(watched(broken(), follow(fleet, Arc::clone(&shift))));
        }
        let mut keepers = JoinSet::new();
        keepers.spawn(watched(broken(), renew::renew(Arc::clone(&shift))));
        keepers.spawn(watched(broken(), heartbeat::heartbeat(Arc::clone(&shift))));
        shift.events.send(|| WorkerEvent::Started);

        tokio::select! {
            () = stop.reached(Phase::Draining) => {}
            () = shift.broken.cancelled() => {
                fetching.abort();
                settling.abort();
                sandboxes.shutdown_background();
                bail!("a part of the worker has panicked, as said above; what it had in hand is taken over once its leases expire");
            }
        }
        shift.events.send(|| WorkerEvent::Draining);
        interrupt.cancel();
        takers.shutdown().await;
        // The fetch returns what it was just given, and that is started: it has its permits.
        let _ = fetching.await;
        heartbeat::beat(&shift, false).await;
        wait_for_tasks(&shift, &stop, shift.config.shutdown_timeout).await;
        tokio::task::spawn_blocking(move || sandboxes.shutdown_timeout(INTERRUPT_TIMEOUT)).await?;
        let released = finish(&shift, settling).await;
        keepers.shutdown().await;
        sign_off(&shift).await;
        shift.events.send(|| WorkerEvent::Stopped);
        Ok(Summary {
            processed: shift.counts.processed.load(Ordering::Relaxed),
            failed: shift.counts.failed.load(Ordering::Relaxed),
            released,
        })
    }

    fn shift(
        self,
        in_fleet: bool,
        sandboxes: Handle,
    ) -> (Shift, Receiver<Ready>, Receiver<Vec<Finished>>) {
        let concurrency = self.config.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let (ready, readies) = async_channel::unbounded();
        // Room for a few round trips of ends: more would let a broker that is away pile them up.
        let (finished, ends) = async_channel::bounded(BATCHES);
        let shift = Shift {
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
        (shift, readies, ends)
    }
}

fn start_lanes(shift: &Arc<Shift>, ready: &Receiver<Ready>, count: usize) {
    for _ in 0..count {
        let lane = watched(
            shift.broken.clone(),
            lane::lane(Arc::clone(shift), ready.clone()),
        );
        // Without the executor's budget: a lane looks at the clock itself.
        shift.sandboxes.spawn(tokio::task::unconstrained(lane));
    }
}

/// Batches of ends that may wait to be settled.
const BATCHES: usize = 64;
/// Sandboxes yield every few milliseconds; one that does not by then is not waited for.
const INTERRUPT_TIMEOUT: Duration = Duration::from_secs(1);
/// What ended in the last moments has this long to be settled.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Settles what has ended, then gives back the rest.
async fn finish(shift: &Arc<Shift>, settling: tokio::task::JoinHandle<()>) -> usize {
    shift.closing.cancel();
    let abort = settling.abort_handle();
    if tokio::time::timeout(SETTLE_TIMEOUT, settling)
        .await
        .is_err()
    {
        abort.abort();
        tracing::warn!("the broker did not take the last settlements in time; their leases expire");
    }
    release_rest(shift).await
}

async fn sign_off(shift: &Shift) {
    let signing = shift.connected.results.sign_off(&shift.config.worker_id);
    match tokio::time::timeout(SETTLE_TIMEOUT, signing).await {
        Ok(answer) => drop(shift.note(answer)),
        Err(_) => tracing::warn!("the broker did not take the sign-off in time"),
    }
}
