//! Starts one attempt, and decides what is to be done about its outcome.
//!
//! The path of every task: resolve (done at fetch), run, decide. Must not talk to a broker, nor know who waits for the
//! call: [`crate::lane`] does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{
    Advice, DecideContext, Delivery, DeliveryMode, Failure, Outcome, Payload, RetryPolicy,
    Settlement, TaskMessage, decide,
};
use chicory_signature::{Level, LogLine};

use crate::attempt::runner::{Ended, Runnable, Running};
use crate::attempt::{Attempt, Concluded, Found, Started};
use crate::context::WorkerContext;
use crate::result::state_change;
use crate::{Call, TaskNotFound};

/// What this worker has for a delivery.
pub(crate) fn find(context: &WorkerContext, delivery: &Delivery) -> Found {
    // Read first, so a change in between is noticed when the attempt starts.
    let generation = context.runner.generation();
    let task = match &delivery.payload {
        Payload::Message(message) => Some(context.runner.resolve(&delivery.lease.tenant, message)),
        Payload::Encoded | Payload::Unreadable(_) => None,
    };
    Found { task, generation }
}

/// Starts the attempt: nothing has run yet when this returns. If there is nothing to run, its outcome is already known.
pub(crate) fn start(
    context: &WorkerContext,
    attempt: Arc<Attempt>,
) -> (Started, Result<Running, Outcome>) {
    let at = Instant::now();
    if let Some(observer) = &context.observer {
        observer.started(attempt.info());
    }
    // Whatever starts after a new version is in service runs on it, whenever it was fetched.
    let found = if context.runner.generation() == attempt.found.generation {
        attempt.found.task.clone()
    } else {
        find(context, &attempt.delivery).task
    };
    let running = if attempt.lease_time.is_over(at) {
        Err(Outcome::Interrupted)
    } else {
        run(context, &attempt, found.as_ref())
    };
    let task = found.and_then(Result::ok);
    (Started { attempt, task, at }, running)
}

/// The call that the message asks for, or the failure that takes its place.
fn run(
    context: &WorkerContext,
    attempt: &Arc<Attempt>,
    found: Option<&Result<Arc<dyn Runnable>, TaskNotFound>>,
) -> Result<Running, Outcome> {
    let Some(found) = found else {
        return Err(Outcome::Failed(unreadable(&attempt.delivery)));
    };
    let (deliveries, limit) = (attempt.delivery.deliveries, context.config.max_deliveries);
    if deliveries > limit {
        let text = format!(
            "delivered {deliveries} times and never settled, so it may be what crashes its workers (max_deliveries is {limit})"
        );
        let expired = failure("LeaseExpired", text, Advice::Never);
        return Err(Outcome::Failed(expired));
    }
    match found {
        Err(missing) if missing.is_elsewhere() => Err(Outcome::Postponed { after: LATER }),
        Err(missing) => {
            let missing = failure("TaskNotFound", missing.to_string(), Advice::Policy);
            Err(Outcome::Failed(missing))
        }
        Ok(task) => {
            attempt.set_policy(&task.profile().policy);
            let call = Call {
                attempt: Arc::clone(attempt),
                observer: context.observer.clone(),
            };
            let usual = context.config.delivery_mode;
            let mode = task.profile().delivery_mode.unwrap_or(usual);
            Ok(match mode {
                DeliveryMode::AtLeastOnce => Arc::clone(task).run(call),
                DeliveryMode::AtMostOnce => {
                    context.unacknowledged.call(attempt, Arc::clone(task), call)
                }
            })
        }
    }
}

/// How long a message waits that another worker may be able to run.
const LATER: Duration = Duration::from_secs(5);

fn unreadable(delivery: &Delivery) -> Failure {
    let reason = match &delivery.payload {
        Payload::Unreadable(reason) => reason.to_string(),
        Payload::Message(_) | Payload::Encoded => unreachable!("a message is decoded and resolved"),
    };
    failure("UnreadableMessage", reason, Advice::Never)
}

/// The failure of a task that runs at most once and has begun, when its worker stops.
fn cancelled() -> Failure {
    let text = "the worker stopped while the task was running; it runs at most once, so it is not run again";
    failure("Cancelled", text.into(), Advice::Never)
}

fn failure(name: &str, message: String, advice: Advice) -> Failure {
    Failure {
        name: name.into(),
        message,
        traceback: None,
        advice,
    }
}

/// Decides what follows from the end of a call.
pub(crate) fn conclude(context: &WorkerContext, started: Started, ended: Ended) -> Concluded {
    let Started { attempt, task, at } = started;
    let Ended {
        outcome,
        usage,
        log,
    } = ended;
    // Whoever made the failure, its texts are stored and shown from here on.
    let outcome = match outcome {
        Outcome::Failed(failure) => Outcome::Failed(failure.cut()),
        other => other,
    };
    let duration = at.elapsed();
    log_lines(&attempt, &log);
    // With at-most-once delivery, what has begun may not run again, whatever ended it.
    if matches!(outcome, Outcome::Interrupted) && attempt.is_last() {
        return interrupt(context, attempt);
    }
    if let Some(task) = &task {
        if !matches!(outcome, Outcome::Interrupted | Outcome::Postponed { .. }) {
            task.profile().took(duration);
        }
        task.concluded(&outcome);
    }
    let none = RetryPolicy::none();
    let terms = DecideContext {
        policy: task.as_ref().map_or(&none, |task| &task.profile().policy),
        // Someone needs to look at a message that nobody can read, so it is kept whatever the setting.
        dead_letters: context.config.dead_letters || attempt.message().is_none(),
        canary: task.as_ref().is_some_and(|task| task.is_canary()),
        now: context.clock.now(),
    };
    let settlement = settlement(&attempt, &outcome, terms);
    let kept = attempt.kept(task.as_ref());
    let change = state_change(
        &attempt.delivery,
        &outcome,
        &settlement,
        usage.as_ref(),
        kept,
    );
    Concluded {
        attempt,
        settlement,
        change,
        failure: failure_of(outcome),
        duration,
        usage,
    }
}

/// What follows for an attempt that is still running when its worker stops. With at-least-once delivery, the message is
/// released. With at-most-once delivery it may not run again, so its result says what happened. It does not become a
/// dead letter, since nothing is wrong with the message.
pub(crate) fn interrupt(context: &WorkerContext, attempt: Arc<Attempt>) -> Concluded {
    let outcome = if attempt.is_last() {
        Outcome::Failed(cancelled())
    } else {
        Outcome::Interrupted
    };
    let terms = DecideContext {
        policy: &RetryPolicy::none(),
        dead_letters: false,
        canary: false,
        now: context.clock.now(),
    };
    let settlement = settlement(&attempt, &outcome, terms);
    let kept = attempt.kept(attempt.task());
    let change = state_change(&attempt.delivery, &outcome, &settlement, None, kept);
    Concluded {
        settlement,
        change,
        failure: failure_of(outcome),
        duration: attempt.fetched_at.elapsed(),
        usage: None,
        attempt,
    }
}

fn settlement(attempt: &Attempt, outcome: &Outcome, terms: DecideContext<'_>) -> Settlement {
    match attempt.message() {
        Some(message) => decide(outcome, message, terms),
        // It has no policy and no retries.
        None => decide(outcome, &TaskMessage::default(), terms),
    }
}

fn failure_of(outcome: Outcome) -> Option<Failure> {
    match outcome {
        Outcome::Failed(failure) => Some(failure),
        Outcome::Completed { .. } | Outcome::Interrupted | Outcome::Postponed { .. } => None,
    }
}

/// Log lines have the level that the guest gave them.
fn log_lines(attempt: &Attempt, lines: &[LogLine]) {
    let info = attempt.info();
    macro_rules! log {
        ($level:ident, $line:ident) => {
            tracing::$level!(
                target: "chicory::task", task_id = %info.task_id, task = %info.task_name.unwrap_or_default(),
                attempt = info.attempt, "{}", $line.message
            )
        };
    }
    for line in lines {
        match line.level {
            Level::Trace => log!(trace, line),
            Level::Debug => log!(debug, line),
            Level::Info => log!(info, line),
            Level::Warn => log!(warn, line),
            Level::Error => log!(error, line),
        }
    }
}
