//! One delivery on its way through the worker: fetched, ready, started, concluded.
//!
//! All phases share one [`Attempt`], and read the message and the lease through it. Must not know who moves it on.

pub(crate) mod call;
pub(crate) mod lease_time;
pub(crate) mod runner;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chicory_queue::{
    Delivery, DeliveryMode, Failure, LARGE_BYTES, Lease, ResultRecord, RetryPolicy, SettleRequest,
    Settlement, TaskMessage, TenantName,
};
use chicory_signature::Usage;
use tokio::sync::OwnedSemaphorePermit;

use self::lease_time::LeaseTime;
use self::runner::{Runnable, TaskNotFound};
use crate::observer::{AttemptEnded, AttemptInfo};
use crate::result::{Kept, StateChange};

/// A delivery that was fetched but not settled yet.
pub(crate) struct Attempt {
    pub(crate) delivery: Delivery,
    /// The task found when it was fetched.
    pub(crate) found: Found,
    pub(crate) fetched_at: Instant,
    /// Its position among the deliveries in hand.
    pub(crate) slot: usize,
    /// How long its lease may be relied on.
    pub(crate) lease_time: LeaseTime,
    /// How far a task has got that runs at most once.
    progress: AtomicU8,
    /// Whether clients have been told that it is running.
    announced: AtomicBool,
    max_retries: AtomicU32,
}

/// Its message is leased, as for every task that runs at least once, until it ends.
const LEASED: u8 = 0;
/// Its message was acknowledged; it has not begun.
const ACKNOWLEDGED: u8 = 1;
/// Its message was acknowledged, and it has begun: it may not run again.
const BEGUN: u8 = 2;

/// What a message was resolved to.
#[derive(Clone)]
pub(crate) struct Found {
    /// The task; `None` if the message can't be read.
    pub(crate) task: Option<Result<Arc<dyn Runnable>, TaskNotFound>>,
    /// The runner's generation before it was asked.
    pub(crate) generation: u64,
}

/// An attempt that may start.
pub(crate) struct Ready {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// An attempt that has started.
pub(crate) struct Started {
    pub(crate) attempt: Arc<Attempt>,
    /// What runs; `None` if there is nothing to run.
    pub(crate) task: Option<Arc<dyn Runnable>>,
    pub(crate) at: Instant,
}

/// An attempt that has ended, with what was decided about it.
pub(crate) struct Concluded {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) settlement: Settlement,
    /// What clients will see.
    pub(crate) change: Option<StateChange>,
    pub(crate) failure: Option<Failure>,
    pub(crate) duration: Duration,
    pub(crate) usage: Option<Usage>,
}

impl Attempt {
    /// An attempt at a delivery that was fetched at `now`.
    pub(crate) fn new(
        delivery: Delivery,
        found: Found,
        lease_time: LeaseTime,
        now: Instant,
    ) -> Self {
        Self {
            delivery,
            found,
            fetched_at: now,
            slot: usize::MAX,
            lease_time,
            progress: AtomicU8::new(LEASED),
            announced: AtomicBool::new(false),
            max_retries: AtomicU32::new(0),
        }
    }

    /// The tenant that the message belongs to.
    pub(crate) fn tenant(&self) -> &TenantName {
        &self.delivery.lease.tenant
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.delivery.lease
    }

    /// The message; `None` if it can't be read.
    pub(crate) fn message(&self) -> Option<&TaskMessage> {
        self.delivery.message()
    }

    /// The task found when it was fetched.
    pub(crate) fn task(&self) -> Option<&Arc<dyn Runnable>> {
        self.found.task.as_ref()?.as_ref().ok()
    }

    /// Whether its task runs at most once; `usual` is the mode of tasks that don't set their own.
    pub(crate) fn runs_at_most_once(&self, usual: DeliveryMode) -> bool {
        let own = self.task().and_then(|task| task.profile().delivery_mode);
        own.unwrap_or(usual) == DeliveryMode::AtMostOnce
    }

    /// Whether nobody wants its states and results.
    pub(crate) fn ignores_result(&self, task: Option<&Arc<dyn Runnable>>) -> bool {
        self.message().is_some_and(|message| message.ignore_result)
            || task.is_some_and(|task| task.profile().ignore_result)
    }

    /// Which of its states and results are kept.
    pub(crate) fn kept(&self, task: Option<&Arc<dyn Runnable>>) -> Kept {
        let awaited = |message: &TaskMessage| message.reply_to.is_some();
        match self.ignores_result(task) {
            false => Kept::All,
            true if self.message().is_some_and(awaited) => Kept::End,
            true => Kept::Nothing,
        }
    }

    /// What observers are told of it.
    pub(crate) fn info(&self) -> AttemptInfo<'_> {
        info(&self.delivery)
    }

    /// Its message is acknowledged, so it no longer has a lease.
    pub(crate) fn acknowledged(&self) {
        self.lease_time.ended();
        self.progress.store(ACKNOWLEDGED, Ordering::Release);
    }

    /// Its message was acknowledged, and the task begins.
    pub(crate) fn begins(&self) {
        self.progress.store(BEGUN, Ordering::Release);
    }

    /// Whether its message may not run again, because it was acknowledged and the task has begun.
    pub(crate) fn is_last(&self) -> bool {
        self.progress.load(Ordering::Acquire) == BEGUN
    }

    /// The lease as it is now.
    fn lease_now(&self) -> Cow<'_, Lease> {
        let lease = &self.delivery.lease;
        if self.progress.load(Ordering::Acquire) == LEASED {
            return Cow::Borrowed(lease);
        }
        Cow::Owned(Lease {
            acknowledged: true,
            ..lease.clone()
        })
    }

    /// Whether this is the first time it is announced.
    pub(crate) fn announce(&self) -> bool {
        !self.announced.swap(true, Ordering::Relaxed)
    }

    /// The retries that the policy in force allows.
    pub(crate) fn max_retries(&self) -> u32 {
        self.max_retries.load(Ordering::Relaxed)
    }

    /// Sets the retries in force, by the message's policy or the task's.
    pub(crate) fn set_policy(&self, task: &RetryPolicy) {
        let own = self.message().and_then(|message| message.retry.as_ref());
        let most = own.unwrap_or(task).max_retries;
        self.max_retries.store(most, Ordering::Relaxed);
    }
}

impl Concluded {
    /// The request to the broker that settles it.
    pub(crate) fn request(&self) -> SettleRequest<'_> {
        let delivery = &self.attempt.delivery;
        let message = delivery.message();
        let reply_to = message.and_then(|message| message.reply_to.as_deref());
        let record = self.change.as_ref().map(|change| ResultRecord {
            tenant: delivery.lease.tenant.clone(),
            task_id: Cow::Borrowed(delivery.message_id()),
            state: change.state,
            body: change.body.as_deref().map(Cow::Borrowed),
            reply_to: reply_to.map(Cow::Borrowed),
        });
        SettleRequest {
            lease: self.attempt.lease_now(),
            raw: Cow::Borrowed(&delivery.raw),
            task_id: Cow::Borrowed(delivery.message_id()),
            task_name: Cow::Borrowed(message.map_or("", |message| &message.name)),
            retries: message.map_or(0, |message| message.retries),
            settlement: Cow::Borrowed(&self.settlement),
            record,
        }
    }

    /// Whether its settlement writes much.
    pub(crate) fn is_large_to_settle(&self) -> bool {
        let body = self.change.as_ref().and_then(|change| change.body.as_ref());
        // Most attempts are neither.
        (self.attempt.delivery.raw.len() > LARGE_BYTES
            || body.is_some_and(|body| body.len() > LARGE_BYTES))
            && self.request().is_large()
    }

    /// What observers are told of it once it is settled.
    pub(crate) fn ended(&self, applied: bool) -> AttemptEnded<'_> {
        AttemptEnded {
            attempt: self.attempt.info(),
            failure: self.failure.as_ref(),
            settlement: &self.settlement,
            applied,
            duration: self.duration,
            usage: self.usage.as_ref(),
        }
    }
}

impl Ready {
    /// Whether it may run on the thread of the duties: it takes less time than waking another thread, and if it takes
    /// longer after all, it soon lets others pass.
    pub(crate) fn may_run_here(&self) -> bool {
        let brief =
            (self.attempt.task()).is_some_and(|task| task.yields() && task.profile().is_brief());
        brief && !self.is_large()
    }

    /// Whether it is known to end or to wait within its first turn.
    pub(crate) fn is_short(&self) -> bool {
        (self.attempt.task()).is_some_and(|task| task.profile().is_short()) && !self.is_large()
    }

    /// Whether its arguments take long to convert, which nothing can interrupt.
    fn is_large(&self) -> bool {
        self.attempt.delivery.raw.len() > LARGE_BYTES
    }
}

/// What observers are told of an attempt at this delivery.
pub(crate) fn info(delivery: &Delivery) -> AttemptInfo<'_> {
    let message = delivery.message();
    AttemptInfo {
        task_id: delivery.message_id(),
        task_name: message.map(|message| message.name.as_str()),
        queue: &delivery.lease.queue,
        attempt: message.map_or(1, |message| message.retries.saturating_add(1)),
        deliveries: delivery.deliveries,
    }
}
