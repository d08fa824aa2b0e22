//! The observer that every worker has: it writes to the log.
//!
//! Must not know how the log is shown.

use chicory_queue::{BrokerError, Failure, Settlement};
use chicory_signature::with_causes;

use super::{AttemptEnded, AttemptInfo, Observer};

/// Logs what operators want to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl Observer for Log {
    fn reclaimed(&self, attempt: AttemptInfo<'_>) {
        tracing::warn!(
            task_id = %attempt.task_id, queue = %attempt.queue, deliveries = attempt.deliveries,
            "reclaimed a task whose lease had expired"
        );
    }

    fn ended(&self, end: &AttemptEnded<'_>) {
        let (id, attempt) = (end.attempt.task_id, end.attempt.attempt);
        let task = end.attempt.task_name.unwrap_or("(unreadable)");
        let took_ms = end.duration.as_secs_f64() * 1e3;
        if !end.applied && matches!(end.settlement, Settlement::Release) {
            tracing::warn!(task_id = %id, %task, attempt, "the lease was lost, and the task was stopped: another worker has it now, or it was purged");
            return;
        }
        if !end.applied {
            tracing::warn!(task_id = %id, %task, attempt, "the lease was lost: another worker has this task now, or it was purged");
            return;
        }
        let Some(failure) = end.failure else {
            match end.settlement {
                Settlement::Release => {
                    tracing::info!(task_id = %id, %task, attempt, "interrupted, and released");
                }
                _ => tracing::info!(task_id = %id, %task, attempt, took_ms, "done"),
            }
            return;
        };
        let error = Failure::describe(failure);
        match end.settlement {
            Settlement::Retry { at, .. } => {
                tracing::warn!(task_id = %id, %task, attempt, took_ms, %error, %at, "failed; to be retried");
            }
            Settlement::DeadLetter { .. } => {
                tracing::warn!(task_id = %id, %task, attempt, took_ms, %error, "failed, and dead-lettered");
            }
            Settlement::Complete | Settlement::Release => {
                tracing::warn!(task_id = %id, %task, attempt, took_ms, %error, "failed, and given up on");
            }
        }
    }

    fn broker_lost(&self, error: &BrokerError) {
        tracing::warn!(error = %with_causes(error), "the broker can't be used; running tasks continue while their leases last, and the worker keeps trying");
    }

    fn broker_back(&self) {
        tracing::info!("the broker is back");
    }
}
