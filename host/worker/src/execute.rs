//! Runs one delivery in a sandbox, and says what is to be done about it.
//!
//! The path of every task: resolve (done at fetch), run, translate, decide. Must not talk to a broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{
    Advice, Delivery, Failure, Outcome, Payload, RetryPolicy, Settle, Settlement, TaskMessage,
    Terms, decide,
};
use chicory_runtime::{Invocation, TaskContext, Usage};
use tokio::sync::OwnedSemaphorePermit;

use crate::catalog::CatalogTask;
use crate::event::TaskEnd;
use crate::shift::Shift;
use crate::translate;

/// A delivery and the task that its message names, where it is deployed here.
pub(crate) struct Attempt {
    pub(crate) delivery: Delivery,
    pub(crate) task: Option<Arc<CatalogTask>>,
}

/// A try that has ended and is to be settled.
pub(crate) struct Finished {
    pub(crate) ticket: u64,
    pub(crate) settle: Settle,
    pub(crate) end: TaskEnd,
}

/// Runs the attempt; the permit is free once the end is handed on.
pub(crate) async fn execute(
    shift: Arc<Shift>,
    ticket: u64,
    attempt: Attempt,
    permit: OwnedSemaphorePermit,
) {
    let begun = Instant::now();
    let Attempt { mut delivery, task } = attempt;
    let payload = std::mem::replace(
        &mut delivery.payload,
        Payload::Message(TaskMessage::default()),
    );
    let (message, outcome, usage) = match payload {
        Payload::Unreadable(reason) => {
            let failure = failure("UnreadableMessage", reason.to_string(), Advice::Never);
            (nameless(&delivery), Outcome::Failed(failure), None)
        }
        Payload::Message(message) => run(&shift, &delivery, message, task.as_deref()).await,
    };
    let finished = finish(
        &shift,
        Ended {
            ticket,
            delivery,
            message,
            task,
            outcome,
            usage,
            duration: begun.elapsed(),
        },
    );
    // The receiver is gone only when the worker has stopped; then the lease is released there.
    let _ = shift.finished.send(finished).await;
    drop(permit);
}

struct Ended {
    ticket: u64,
    delivery: Delivery,
    message: TaskMessage,
    task: Option<Arc<CatalogTask>>,
    outcome: Outcome,
    usage: Option<Usage>,
    duration: Duration,
}

fn failure(name: &str, message: String, advice: Advice) -> Failure {
    Failure {
        name: name.into(),
        message,
        traceback: None,
        advice,
    }
}

/// Stands for a message that can't be read, so that it is settled as any other.
fn nameless(delivery: &Delivery) -> TaskMessage {
    TaskMessage {
        id: delivery.task_id.clone(),
        ..TaskMessage::default()
    }
}

async fn run(
    shift: &Shift,
    delivery: &Delivery,
    mut message: TaskMessage,
    task: Option<&CatalogTask>,
) -> (TaskMessage, Outcome, Option<Usage>) {
    let limit = shift.config.max_deliveries;
    if delivery.deliveries > limit {
        let text = format!(
            "handed out {} times and never settled, so it may be what ends its workers (max_deliveries is {limit})",
            delivery.deliveries
        );
        return (
            message,
            Outcome::Failed(failure("LeaseExpired", text, Advice::Never)),
            None,
        );
    }
    let Some(task) = task else {
        let text = shift.catalog.why_missing(&message.name);
        return (
            message,
            Outcome::Failed(failure("TaskNotFound", text, Advice::Policy)),
            None,
        );
    };
    let policy = message.retry.as_ref().unwrap_or(&task.policy);
    let invocation = Invocation {
        context: TaskContext {
            id: message.id.clone(),
            name: message.name.clone(),
            retries: message.retries,
            max_retries: policy.max_retries,
            last_error: message.last_error.clone(),
            tenant: None,
        },
        // A retry needs the arguments again; where none can come, they move.
        args: if policy.max_retries > message.retries {
            message.args.clone()
        } else {
            std::mem::take(&mut message.args)
        },
        kwargs: if policy.max_retries > message.retries {
            message.kwargs.clone()
        } else {
            std::mem::take(&mut message.kwargs)
        },
        task: Arc::clone(&task.task),
        observer: shift.events.observer(&message),
        cancel: None,
    };
    let ended = shift.runner.run(invocation).await;
    log_lines(&message, &ended.log);
    (message, translate::outcome(ended.how), Some(ended.usage))
}

fn log_lines(message: &TaskMessage, lines: &[chicory_runtime::LogLine]) {
    for line in lines {
        tracing::info!(
            target: "chicory::task", task_id = %message.id, task = %message.name, attempt = message.retries + 1,
            level = ?line.level, "{}", line.message
        );
    }
}

/// Decides, and puts together all that the settlement needs.
fn finish(shift: &Shift, ended: Ended) -> Finished {
    let Ended {
        ticket,
        delivery,
        message,
        task,
        outcome,
        usage,
        duration,
    } = ended;
    let none = RetryPolicy::none();
    let terms = Terms {
        policy: task.as_ref().map_or(&none, |task| &task.policy),
        // A message nobody can read is somebody's work: kept whatever the setting.
        dead_letters: shift.config.dead_letters || message.name.is_empty(),
        now: shift.clock.now(),
    };
    let settlement = decide(&outcome, &message, terms);
    let ignored = message.ignore_result || task.is_some_and(|task| task.ignore_result);
    let record = match settlement {
        Settlement::Release => None,
        _ if ignored => None,
        _ => Some(translate::record(
            &message.id,
            &outcome,
            &settlement,
            usage.as_ref(),
        )),
    };
    let error = match &outcome {
        Outcome::Failed(failure) => Some(failure.describe()),
        Outcome::Completed { .. } | Outcome::Interrupted => None,
    };
    let end = TaskEnd {
        task_id: message.id.clone(),
        task_name: message.name.clone(),
        queue: delivery.lease.queue.to_string(),
        attempt: message.retries + 1,
        error,
        settlement: settlement.clone(),
        applied: false,
        duration,
        usage,
    };
    let settle = Settle {
        lease: delivery.lease,
        raw: delivery.raw,
        task_id: message.id,
        task_name: message.name,
        retries: message.retries,
        settlement,
        record,
    };
    Finished {
        ticket,
        settle,
        end,
    }
}
