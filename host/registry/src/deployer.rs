//! Rolls a version out: begins it, waits until every live worker is ready, switches them all, ends it.
//!
//! Drives the transitions of [`super::transition`]; a process that is killed in the middle leaves a
//! rollout that expires to one clear end. Must not know what a version is made of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chicory_clock::{Clock, Timestamp};

use super::{
    AuditEntry, DeployRefused, Fleet, ModuleRecord, Phase, Progress, Registry, RegistryError,
    Rollout, RolloutRequest, Version,
};

/// Rolls versions out to the workers that are alive. `Connected::deployer` of chicory-queue makes one for the workers of
/// a broker, and shows an example.
pub struct Deployer {
    registry: Arc<dyn Registry>,
    fleet: Arc<dyn Fleet>,
    clock: Arc<dyn Clock>,
}

/// What to roll out.
#[derive(Debug, Clone)]
pub enum RolloutTarget {
    /// A version whose bytes are in the registry.
    Deploy(Box<Version>),
    /// A version that is kept: its digest or the beginning of it; `None` for the previous version.
    RollBack(Option<String>),
}

/// The progress of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The phase.
    pub phase: Phase,
    /// Workers that have reached it.
    pub done: usize,
    /// Workers that should reach it.
    pub workers: usize,
}

/// How a rollout ended well.
#[derive(Debug, Clone, PartialEq)]
pub struct RolledOut {
    /// The module's record as it is now.
    pub record: ModuleRecord,
    /// The version.
    pub digest: String,
    /// Workers that serve it.
    pub workers: usize,
}

/// Why a rollout had no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// It can't begin, or another process ended it.
    #[error(transparent)]
    Refused(#[from] DeployRefused),
    /// Workers can't run it.
    #[error("the rollout is stopped, and the previous version stays: {}", reasons(.0))]
    WorkersRefused(Vec<(String, String)>),
    /// Workers did not answer.
    #[error("the rollout is stopped, and the previous version stays: no answer within {after:?} from {}", workers.join(", "))]
    NoAnswer {
        /// Who did not.
        workers: Vec<String>,
        /// How long they had.
        after: Duration,
    },
    /// The registry can't be reached.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

fn reasons(refusals: &[(String, String)]) -> String {
    let lines: Vec<_> = refusals
        .iter()
        .map(|(worker, reason)| format!("\n  worker {worker}: {reason}"))
        .collect();
    lines.concat()
}

/// How the audit log calls the beginning of a deploy.
const DEPLOY: &str = "deploy";
/// How often the workers' reports are read.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How often live workers are counted.
const COUNT_EVERY: Duration = Duration::from_millis(500);

impl Deployer {
    /// For the workers of this fleet, which follow this registry.
    pub fn new(registry: Arc<dyn Registry>, fleet: Arc<dyn Fleet>, clock: Arc<dyn Clock>) -> Self {
        Self {
            registry,
            fleet,
            clock,
        }
    }

    /// Rolls out, and reports the progress to `tell`. `changes` lists the differences between the tasks of the
    /// active version and the new one that messages may not fit; it is called with the module's record.
    ///
    /// # Errors
    /// If it can't begin, or was stopped: then the previous version still serves.
    pub async fn roll_out(
        &self,
        module: &str,
        target: &RolloutTarget,
        changes: impl Fn(&ModuleRecord) -> Vec<String>,
        request: &RolloutRequest,
        mut tell: impl FnMut(&Stage),
    ) -> Result<RolledOut, RolloutError> {
        let others = self.records(request).await?;
        let begin = |record: ModuleRecord| {
            let begun = match target {
                RolloutTarget::Deploy(version) => {
                    let changes = changes(&record);
                    record.begin(version.as_ref().clone(), changes, request)
                }
                RolloutTarget::RollBack(to) => record.begin_rollback(to.as_deref(), request),
            };
            begun.and_then(|begun| begun.beside(&others))
        };
        let is_begun = |record: &ModuleRecord| ours(record, request).is_some();
        let action = match target {
            RolloutTarget::Deploy(_) => DEPLOY,
            RolloutTarget::RollBack(_) => "rollback",
        };
        let record = self.step(module, request, begin, is_begun, action).await?;
        let Some(rollout) = ours(&record, request).cloned() else {
            unreachable!("it has just begun")
        };
        // Of two modules that are deployed at the same time, each finds the other here.
        let outcome = match record.beside(&self.records(request).await?) {
            Ok(_) => self.carry_out(module, &rollout, request, &mut tell).await,
            Err(refused) => Err(refused.into()),
        };
        if let Err(
            RolloutError::WorkersRefused(_)
            | RolloutError::NoAnswer { .. }
            | RolloutError::Refused(DeployRefused::Names(_)),
        ) = &outcome
        {
            self.stop(module, request).await?;
        }
        outcome
    }

    /// Stops a rollout without effect, if it is under way.
    ///
    /// # Errors
    /// When the registry can't be reached; then the rollout expires by itself.
    pub async fn stop(&self, module: &str, request: &RolloutRequest) -> Result<(), RolloutError> {
        let abort = |record: ModuleRecord| record.abort(&request.id);
        let is_over = |record: &ModuleRecord| ours(record, request).is_none();
        match self.step(module, request, abort, is_over, "abort").await {
            Ok(_) | Err(RolloutError::Refused(DeployRefused::Over { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn carry_out(
        &self,
        module: &str,
        rollout: &Rollout,
        request: &RolloutRequest,
        tell: &mut impl FnMut(&Stage),
    ) -> Result<RolledOut, RolloutError> {
        let digest = rollout.digest.clone();
        let mut workers = self.wait_for(Phase::Preparing, request, tell).await?;
        let now = || self.clock.now();
        let switch = |record: ModuleRecord| record.switch(&request.id, now());
        let is_switched = |record: &ModuleRecord| {
            let on_trial = record
                .canary
                .as_ref()
                .is_some_and(|canary| canary.id == request.id);
            on_trial || ours(record, request).is_some_and(|found| found.phase == Phase::Switching)
        };
        let action = if request.canary.is_some() {
            "canary"
        } else {
            "switch"
        };
        let mut record = self
            .step(module, request, switch, is_switched, action)
            .await?;
        if request.canary.is_none() {
            workers = self.wait_for(Phase::Switching, request, tell).await?;
            let finish = |record: ModuleRecord| record.finish(&request.id, now());
            let is_done = |record: &ModuleRecord| {
                ours(record, request).is_none() && record.active.as_deref() == Some(&digest)
            };
            record = self
                .step(module, request, finish, is_done, "activate")
                .await?;
        }
        Ok(RolledOut {
            record,
            digest,
            workers,
        })
    }

    /// Makes one transition by compare-and-set. It first checks whether the transition was made by an attempt
    /// whose answer was lost. An unavailable registry is retried until the rollout expires.
    async fn step(
        &self,
        module: &str,
        request: &RolloutRequest,
        change: impl Fn(ModuleRecord) -> Result<ModuleRecord, DeployRefused>,
        is_made: impl Fn(&ModuleRecord) -> bool,
        action: &str,
    ) -> Result<ModuleRecord, RolloutError> {
        loop {
            let made = self
                .try_step(module, request, &change, &is_made, action)
                .await;
            match made {
                Ok(Some(record)) => return Ok(record),
                Ok(None) => {}
                Err(RolloutError::Registry(error))
                    if error.is_transient() && self.clock.now() < request.expires_at =>
                {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// All records, once the registry can be read.
    async fn records(&self, request: &RolloutRequest) -> Result<Vec<ModuleRecord>, RegistryError> {
        loop {
            match self.registry.changed(0).await {
                Err(error) if error.is_transient() && self.clock.now() < request.expires_at => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                read => return read.map(|changes| changes.records),
            }
        }
    }

    /// The module's record, with what the audit log is to say of it. A deploy repairs a record that can't be read: it
    /// begins with an empty one in its place, unless a newer Chicory wrote it.
    async fn begun_from(
        &self,
        module: &str,
        action: &str,
    ) -> Result<(ModuleRecord, String), RegistryError> {
        match self.registry.module(module).await {
            Err(RegistryError::Record(unreadable))
                if action == DEPLOY && !unreadable.source.is_newer() =>
            {
                let detail = format!(
                    "replaces a record that could not be read: {}",
                    unreadable.source
                );
                Ok((unreadable.replaced(), detail))
            }
            found => {
                let record = found?.unwrap_or_else(|| ModuleRecord::new(module));
                Ok((record, String::new()))
            }
        }
    }

    async fn try_step(
        &self,
        module: &str,
        request: &RolloutRequest,
        change: &impl Fn(ModuleRecord) -> Result<ModuleRecord, DeployRefused>,
        is_made: &impl Fn(&ModuleRecord) -> bool,
        action: &str,
    ) -> Result<Option<ModuleRecord>, RolloutError> {
        let (record, detail) = self.begun_from(module, action).await?;
        if is_made(&record) {
            return Ok(Some(record));
        }
        let before = ours(&record, request).map(|rollout| rollout.digest.clone());
        let mut next = change(record)?;
        let rolled = ours(&next, request).map(|rollout| rollout.digest.clone());
        let entry = AuditEntry {
            at: self.clock.now(),
            by: request.by.clone(),
            action: action.to_owned(),
            module: module.to_owned(),
            digest: rolled.or(before).unwrap_or_default(),
            detail,
        };
        Ok(self.registry.replace(&next, &entry).await?.map(|revision| {
            next.revision = revision;
            next
        }))
    }

    /// Waits until all live workers have reported this phase. Returns their number.
    async fn wait_for(
        &self,
        phase: Phase,
        request: &RolloutRequest,
        tell: &mut impl FnMut(&Stage),
    ) -> Result<usize, RolloutError> {
        let begun = self.clock.now();
        let mut counted = None::<Timestamp>;
        let mut alive = Vec::new();
        loop {
            let now = self.clock.now();
            if counted.is_none_or(|at| now.since(at) >= COUNT_EVERY)
                && let Some(found) = transient(self.fleet.serving().await)?
            {
                (alive, counted) = (found, Some(now));
            }
            let answers = transient(self.registry.reports(&request.id).await)?;
            let answers: BTreeMap<_, _> = answers
                .into_iter()
                .flatten()
                .map(|report| (report.worker_id, report.progress))
                .collect();
            let refusals = refusals(&answers);
            if !refusals.is_empty() {
                return Err(RolloutError::WorkersRefused(refusals));
            }
            let missing: Vec<_> = alive
                .iter()
                .filter(|worker| {
                    !answers
                        .get(*worker)
                        .is_some_and(|far| is_as_far(far, phase))
                })
                .cloned()
                .collect();
            tell(&Stage {
                phase,
                done: alive.len() - missing.len(),
                workers: alive.len(),
            });
            if missing.is_empty() && counted.is_some() {
                return Ok(alive.len());
            }
            if now >= request.expires_at {
                return Err(RolloutError::NoAnswer {
                    workers: missing,
                    after: now.since(begun),
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The rollout that was begun by this request.
fn ours<'a>(record: &'a ModuleRecord, request: &RolloutRequest) -> Option<&'a Rollout> {
    record
        .rollout
        .as_ref()
        .filter(|rollout| rollout.id == request.id)
}

/// `None` if the registry is unavailable for now.
fn transient<T>(answer: Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_transient() => Ok(None),
        Err(error) => Err(error),
    }
}

fn refusals(answers: &BTreeMap<String, Progress>) -> Vec<(String, String)> {
    let refused = answers
        .iter()
        .filter_map(|(worker, progress)| match progress {
            Progress::Refused(reason) => Some((worker.clone(), reason.clone())),
            Progress::Ready | Progress::Switched => None,
        });
    refused.collect()
}

fn is_as_far(progress: &Progress, phase: Phase) -> bool {
    match phase {
        Phase::Preparing => matches!(progress, Progress::Ready | Progress::Switched),
        Phase::Switching => matches!(progress, Progress::Switched),
    }
}
