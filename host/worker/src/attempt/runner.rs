//! What a worker runs: tasks, which it finds by message, and their calls.
//!
//! The catalog of sandboxed modules is one runner, native tasks are another. Must not know how a message is
//! fetched or settled.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use chicory_queue::{DeliveryMode, Outcome, RetryPolicy, TaskMessage, TenantName};
use chicory_signature::{LogLine, Usage};

use super::call::Call;
use crate::turn::TURN;

/// A call that continues whenever it is polled. It must not block the thread that polls it.
pub type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Finds the tasks that messages name. It is asked for each message, so it should take no lock.
pub trait Runner: Send + Sync + 'static {
    /// The task that this message of a tenant runs. A tenant's messages must not reach another's tasks.
    ///
    /// # Errors
    /// If this worker has no such task. The message's retry policy decides what follows.
    fn resolve(
        &self,
        tenant: &TenantName,
        message: &TaskMessage,
    ) -> Result<Arc<dyn Runnable>, TaskNotFound>;

    /// A number that changes whenever [`Runner::resolve`] may answer differently than before. A message that was
    /// fetched before a change is resolved again when it starts.
    fn generation(&self) -> u64 {
        0
    }

    /// The modules that it serves from a registry, each with its version's digest, for those who watch the fleet;
    /// `None` if it follows no registry.
    fn deployed(&self) -> Option<Vec<(String, Arc<str>)>> {
        None
    }
}

/// A task of one version of its code.
pub trait Runnable: Send + Sync + 'static {
    /// How it is delivered and retried.
    fn profile(&self) -> &TaskProfile;

    /// Runs one call to its end. The answer says how the task ended; a panic ends the worker.
    fn run(self: Arc<Self>, call: Call) -> Running;

    /// Whether each poll of its calls returns within a few milliseconds, whatever the task does. Only such a task may run on
    /// the thread of the worker's duties, where a poll that blocks would let leases expire.
    fn yields(&self) -> bool {
        false
    }

    /// Whether it is a canary: its failures do not use up the message's retries.
    fn is_canary(&self) -> bool {
        false
    }

    /// Told of every outcome of an attempt at it.
    fn concluded(&self, outcome: &Outcome) {
        let _ = outcome;
    }
}

/// How a call ended.
#[derive(Debug)]
pub struct Ended {
    /// What its end means for the message.
    pub outcome: Outcome,
    /// What it used, if that is measured.
    pub usage: Option<Usage>,
    /// What the task has logged.
    pub log: Vec<LogLine>,
}

impl From<Outcome> for Ended {
    /// An end without usage or log.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            usage: None,
            log: Vec::new(),
        }
    }
}

/// This worker has no such task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TaskNotFound {
    reason: String,
    elsewhere: bool,
}

impl TaskNotFound {
    /// The reason should be a sentence that says what there is instead.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            elsewhere: false,
        }
    }

    /// The same where another worker may well have the task: the message is left for it, and tried again after 5 seconds.
    pub fn elsewhere(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            elsewhere: true,
        }
    }

    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }
}

/// How a task is delivered and retried.
#[derive(Debug)]
pub struct TaskProfile {
    /// What its failures lead to, unless the message has a policy of its own.
    pub policy: RetryPolicy,
    /// `None` for the worker's setting.
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether no states and results are kept.
    pub ignore_result: bool,
    /// How many more brief attempts it takes before the task counts as brief.
    doubts: AtomicU32,
    /// Whether the last attempt ended or waited within its first turn.
    short: AtomicBool,
}

impl Default for TaskProfile {
    /// No retries, the worker's delivery mode, results kept.
    fn default() -> Self {
        Self::new(RetryPolicy::none())
    }
}

impl TaskProfile {
    /// With this retry policy, the worker's delivery mode, and results kept.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            delivery_mode: None,
            ignore_result: false,
            doubts: AtomicU32::new(1),
            short: AtomicBool::new(false),
        }
    }

    /// Notes how long an attempt took.
    pub(crate) fn took(&self, duration: Duration) {
        let doubts = self.doubts.load(Ordering::Relaxed);
        let after = if duration < BRIEF {
            doubts.saturating_sub(1)
        } else if duration < TURN {
            doubts.max(1)
        } else {
            DOUBTS
        };
        // Written only if it changes, because all threads read it.
        if doubts != after {
            self.doubts.store(after, Ordering::Relaxed);
        }
    }

    /// Notes whether an attempt ended or waited within its first turn.
    pub(crate) fn was_short(&self, short: bool) {
        if self.short.load(Ordering::Relaxed) != short {
            self.short.store(short, Ordering::Relaxed);
        }
    }

    /// Whether an attempt is likely to be shorter than it takes to wake another thread.
    pub(crate) fn is_brief(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) == 0
    }

    /// Whether the last attempt ended or waited within its first turn.
    pub(crate) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }
}

impl Clone for TaskProfile {
    /// The same settings. How long an attempt takes is learned anew.
    fn clone(&self) -> Self {
        Self {
            delivery_mode: self.delivery_mode,
            ignore_result: self.ignore_result,
            ..Self::new(self.policy.clone())
        }
    }
}

/// Less than it takes to wake another thread and to be notified of the end.
const BRIEF: Duration = Duration::from_micros(150);
/// One attempt that takes longer than a turn adds this many doubts: a task that is only mostly brief would occupy the
/// thread of the duties for a turn each time it is not.
const DOUBTS: u32 = 32;

/// One closure for every task: for tests, and for workers that find their tasks in other ways.
///
/// ```
/// use chicory_queue::Outcome;
/// use chicory_worker::{Call, FnRunner};
///
/// let echo = FnRunner::new(|call: Call| async move {
///     Outcome::Completed { result: format!("{:?}", call.name()) }
/// });
/// ```
pub struct FnRunner<F>(Arc<FnTask<F>>);

struct FnTask<F> {
    profile: TaskProfile,
    run: F,
}

impl<F, Fut> FnRunner<F>
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    /// A closure that runs every task, whatever its name.
    pub fn new(run: F) -> Self {
        let profile = TaskProfile::default();
        Self(Arc::new(FnTask { profile, run }))
    }
}

impl<F> fmt::Debug for FnRunner<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnRunner")
    }
}

impl<F, Fut> Runner for FnRunner<F>
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    fn resolve(&self, _: &TenantName, _: &TaskMessage) -> Result<Arc<dyn Runnable>, TaskNotFound> {
        Ok(Arc::clone(&self.0) as Arc<dyn Runnable>)
    }
}

impl<F, Fut> Runnable for FnTask<F>
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    fn profile(&self) -> &TaskProfile {
        &self.profile
    }

    fn run(self: Arc<Self>, call: Call) -> Running {
        let running = (self.run)(call);
        Box::pin(async move { running.await.into() })
    }
}
