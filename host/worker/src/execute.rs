//! Begins one delivery's call in a sandbox, and says what is to be done about its end.
//!
//! The path of every task: resolve (done at fetch), run, translate, decide. Must not talk to a broker, nor
//! know who waits for the call: [`crate::lane`] does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{
    Advice, Delivery, Failure, Outcome, Payload, RetryPolicy, Settle, Settlement, TaskMessage,
    Terms, decide,
};
use chicory_runtime::{Invocation, TaskContext, Usage};

use crate::catalog::CatalogTask;
use crate::runner::Running;
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
    pub(crate) report: Report,
}

/// What is told about a try beyond its settlement.
pub(crate) struct Report {
    /// The failure, as `Name: message`.
    pub(crate) error: Option<String>,
    pub(crate) duration: Duration,
    pub(crate) usage: Option<Usage>,
}

/// A try that has begun, with what its end needs.
pub(crate) struct Case {
    ticket: u64,
    delivery: Delivery,
    message: TaskMessage,
    task: Option<Arc<CatalogTask>>,
    begun: Instant,
}

/// How a try begins.
pub(crate) enum Begun {
    /// In a sandbox.
    Running(Running),
    /// With its end: there is nothing that a sandbox could run.
    Over(Outcome),
}

/// Begins the attempt: nothing has run yet when this returns.
pub(crate) fn begin(shift: &Shift, ticket: u64, attempt: Attempt) -> (Case, Begun) {
    let begun = Instant::now();
    let Attempt { mut delivery, task } = attempt;
    let payload = std::mem::replace(
        &mut delivery.payload,
        Payload::Message(TaskMessage::default()),
    );
    let (message, how) = match payload {
        Payload::Unreadable(reason) => {
            let failure = failure("UnreadableMessage", reason.to_string(), Advice::Never);
            let over = Begun::Over(Outcome::Failed(failure));
            (nameless(&delivery), over)
        }
        Payload::Message(mut message) => {
            let how = run(shift, &delivery, &mut message, task.as_deref());
            (message, how.unwrap_or_else(Begun::Over))
        }
    };
    let case = Case {
        ticket,
        delivery,
        message,
        task,
        begun,
    };
    (case, how)
}

/// What follows from the end of a call.
pub(crate) fn conclude(shift: &Shift, case: Case, ended: chicory_runtime::Ended) -> Finished {
    log_lines(&case.message, &ended.log);
    finish(
        shift,
        case,
        &translate::outcome(ended.how),
        Some(ended.usage),
    )
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

/// The call that the message asks for, or the failure that stands for it.
fn run(
    shift: &Shift,
    delivery: &Delivery,
    message: &mut TaskMessage,
    task: Option<&CatalogTask>,
) -> Result<Begun, Outcome> {
    let limit = shift.config.max_deliveries;
    if delivery.deliveries > limit {
        let text = format!(
            "handed out {} times and never settled, so it may be what ends its workers (max_deliveries is {limit})",
            delivery.deliveries
        );
        return Err(Outcome::Failed(failure(
            "LeaseExpired",
            text,
            Advice::Never,
        )));
    }
    let Some(task) = task else {
        let text = shift.catalog.why_missing(&message.name);
        return Err(Outcome::Failed(failure(
            "TaskNotFound",
            text,
            Advice::Policy,
        )));
    };
    let invocation = invocation(shift, message, task);
    Ok(Begun::Running(shift.runner.run(invocation)))
}

fn invocation(shift: &Shift, message: &mut TaskMessage, task: &CatalogTask) -> Invocation {
    let policy = message.retry.as_ref().unwrap_or(&task.policy);
    let max_retries = policy.max_retries;
    Invocation {
        context: TaskContext {
            id: message.id.clone(),
            name: message.name.clone(),
            retries: message.retries,
            max_retries,
            last_error: message.last_error.clone(),
            tenant: None,
        },
        observer: shift.events.observer(message),
        // Most tasks end well: a failure reads them again.
        args: std::mem::take(&mut message.args),
        kwargs: std::mem::take(&mut message.kwargs),
        task: Arc::clone(&task.task),
        cancel: None,
    }
}

fn log_lines(message: &TaskMessage, lines: &[chicory_runtime::LogLine]) {
    for line in lines {
        tracing::info!(
            target: "chicory::task", task_id = %message.id, task = %message.name, attempt = message.retries + 1,
            level = ?line.level, "{}", line.message
        );
    }
}

fn error(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Failed(failure) => Some(failure.describe()),
        Outcome::Completed { .. } | Outcome::Interrupted => None,
    }
}

/// Decides, and puts together all that the settlement needs.
pub(crate) fn finish(
    shift: &Shift,
    case: Case,
    outcome: &Outcome,
    usage: Option<Usage>,
) -> Finished {
    let Case {
        ticket,
        delivery,
        mut message,
        task,
        begun,
    } = case;
    if matches!(outcome, Outcome::Failed(_)) {
        restore_arguments(&mut message, &delivery.raw);
    }
    let none = RetryPolicy::none();
    let terms = Terms {
        policy: task.as_ref().map_or(&none, |task| &task.policy),
        // A message nobody can read is somebody's work: kept whatever the setting.
        dead_letters: shift.config.dead_letters || message.name.is_empty(),
        now: shift.clock.now(),
    };
    let settlement = decide(outcome, &message, terms);
    let ignored = message.ignore_result || task.is_some_and(|task| task.ignore_result);
    let record = match settlement {
        Settlement::Release => None,
        _ if ignored => None,
        _ => Some(translate::record(
            &message.id,
            outcome,
            &settlement,
            usage.as_ref(),
        )),
    };
    let report = Report {
        error: error(outcome),
        duration: begun.elapsed(),
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
        report,
    }
}

/// Gives a message back the arguments that its call has taken: a retry needs them.
fn restore_arguments(message: &mut TaskMessage, raw: &[u8]) {
    if let Ok(delivered) = TaskMessage::decode(raw) {
        message.args = delivered.args;
        message.kwargs = delivered.kwargs;
    }
}
