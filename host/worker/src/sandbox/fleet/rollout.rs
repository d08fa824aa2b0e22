//! A worker's part in rollouts: prepares what is rolled out, switches to it, and reports both.
//!
//! Must not hold up tasks: code is fetched and compiled in parallel with them.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{AuditEntry, ModuleRecord, Progress, Registry, Rollout, WorkerReport};
use chicory_signature::with_causes;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::Fleet;
use crate::backoff::Backoff;
use crate::sandbox::catalog::{Code, CodeCache};

/// The time between two looks without a wake-up.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The same while a canary serves, so its failures are reported quickly.
const LOOK_AT_CANARY: Duration = Duration::from_millis(500);

async fn warm(cold: Vec<Arc<Code>>, cache: Arc<CodeCache>) {
    for code in cold {
        if !cache.has_room() {
            return;
        }
        if let Err(reason) = code.load().await {
            let reason = with_causes(&reason);
            tracing::warn!(%reason, "a deployed module can't be used on this worker");
        }
    }
}

impl Fleet {
    /// Loads what is served, as far as there is room, so first calls needn't. Ends when the handle is dropped.
    pub(crate) fn warm_up(&self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(warm(self.cold(), Arc::clone(&self.cache))))
    }

    /// Wake-ups from the registry, if it can send any.
    pub(crate) async fn watch(&self) -> Option<mpsc::Receiver<()>> {
        self.registry.watch_as(&self.worker_id).await.ok()
    }

    /// Whether the registry knows that this worker is there.
    pub(crate) async fn is_present(&self) -> bool {
        let own = std::slice::from_ref(&self.worker_id);
        let present = self.registry.present(own).await;
        present.is_ok_and(|present| present.is_some_and(|present| present == [true]))
    }

    /// Waits for a wake-up, or for as long as changes may go unnoticed.
    pub(crate) async fn wait(&self, wakes: &mut Option<mpsc::Receiver<()>>) {
        let canaries = self.open.values().any(|record| record.canary.is_some());
        let pause = if canaries { LOOK_AT_CANARY } else { LOOK_EVERY };
        let woken = async {
            match wakes {
                Some(channel) => channel.recv().await.is_some(),
                None => std::future::pending().await,
            }
        };
        match tokio::time::timeout(pause, woken).await {
            // One look answers all that has gathered.
            Ok(true) => while wakes.as_mut().is_some_and(|wakes| wakes.try_recv().is_ok()) {},
            Ok(false) => *wakes = None,
            Err(_) => {}
        }
    }

    /// Fetches a version's code in parallel with the tasks, and reports how it went.
    pub(super) fn prepare(&mut self, record: &ModuleRecord, rollout: &Rollout) {
        if rollout.expires_at <= self.clock.now() || !self.begun.insert(rollout.id.clone()) {
            return;
        }
        let code = if self.is_local(&record.name) {
            Err(format!(
                "it serves the module {:?} from its own folder; remove it there to use the one from the registry",
                record.name
            ))
        } else if let Some(conflict) = self.catalog.conflict(record) {
            Err(conflict.to_string())
        } else {
            let versions = self.versions.get(&record.name);
            let loaded = versions.and_then(|versions| versions.get(&rollout.digest));
            loaded
                .map(|loaded| Arc::clone(loaded.code()))
                .ok_or_else(|| "the registry names a version that it does not keep".to_owned())
        };
        let (registry, worker_id) = (Arc::clone(&self.registry), self.worker_id.clone());
        let (rollout, module) = (rollout.clone(), record.name.clone());
        tokio::spawn(async move {
            let brought = match code {
                Ok(code) => code
                    .load()
                    .await
                    .map(drop)
                    .map_err(|error| with_causes(&error)),
                Err(reason) => Err(reason),
            };
            let progress = match brought {
                Ok(()) => {
                    tracing::info!(%module, digest = %rollout.digest, by = %rollout.by, "ready for the new version");
                    Progress::Ready
                }
                Err(reason) => {
                    tracing::warn!(%module, digest = %rollout.digest, %reason, "refused the new version");
                    Progress::Refused(reason)
                }
            };
            let report = WorkerReport {
                worker_id,
                progress,
            };
            report_until_told(registry.as_ref(), &rollout.id, &report).await;
        });
    }

    /// Reports the rollouts that this worker has switched to.
    pub(crate) async fn say_switched(&mut self) {
        for id in self.unsaid.clone() {
            let report = WorkerReport {
                worker_id: self.worker_id.clone(),
                progress: Progress::Switched,
            };
            if self.registry.report(&id, &report).await.is_ok() {
                self.unsaid.remove(&id);
            }
        }
    }

    /// Ends rollouts whose author has gone, in the way the author would have.
    pub(crate) async fn end_expired(&mut self) {
        let now = self.clock.now();
        let expired: Vec<_> = self
            .open
            .values()
            .filter_map(|record| Some((record.rollout.clone()?, record.clone().expire(now)?)))
            .collect();
        for (rollout, next) in expired {
            let active = next.active.as_deref() == Some(&rollout.digest);
            let entry = AuditEntry {
                at: now,
                by: self.worker_id.clone(),
                action: if active { "activate" } else { "abort" }.into(),
                module: next.name.clone(),
                digest: rollout.digest,
                detail: format!("its author ({}) did not end it in time", rollout.by),
            };
            self.settle_record(&next, &entry).await;
        }
    }

    /// Stores what follows from a record. If someone else was first, the next look shows what they did.
    pub(super) async fn settle_record(&mut self, next: &ModuleRecord, entry: &AuditEntry) {
        match self.registry.replace(next, entry).await {
            Ok(Some(_)) => {
                tracing::info!(module = %next.name, digest = %entry.digest, action = %entry.action, "{}", entry.detail);
                self.open.remove(&next.name);
            }
            Ok(None) => {
                self.open.remove(&next.name);
            }
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "the registry can't be written; trying again");
            }
        }
    }
}

/// Reports on a rollout for as long as anyone may wait for the report.
async fn report_until_told(registry: &dyn Registry, rollout: &str, report: &WorkerReport) {
    let mut backoff = Backoff::new();
    for _ in 0..TRIES {
        if registry.report(rollout, report).await.is_ok() {
            return;
        }
        backoff.wait().await;
    }
}

/// About a minute, at the longest pause between two tries.
const TRIES: usize = 40;
