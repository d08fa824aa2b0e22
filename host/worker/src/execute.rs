//! Begins one delivery's call in a sandbox, and says what is to be done about its end.
//!
//! The path of every task: resolve (done at fetch), run, translate, decide. Must not talk to a broker, nor
//! know who waits for the call: [`crate::lane`] does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chicory_queue::{
    Advice, DecideContext, Failure, Outcome, Payload, RetryPolicy, SettleRequest, Settlement,
    TaskMessage, decide,
};
use chicory_runtime::{Invocation, Task, TaskContext, Usage};

use crate::attempt::{Attempt, Case, Finished, Report};
use crate::context::WorkerContext;
use crate::runner::Running;
use crate::sandbox::{CatalogTask, translate};

/// How an attempt begins.
pub(crate) enum Begun {
    /// In a sandbox.
    Running(Running),
    /// With the loading of its code: [`begin_cold`] goes on.
    Cold,
    /// With its end: there is nothing that a sandbox could run.
    Over(Outcome),
}

/// Begins the attempt: nothing has run yet when this returns.
pub(crate) fn begin(context: &WorkerContext, ticket: u64, attempt: Attempt) -> (Case, Begun) {
    let begun = Instant::now();
    let Attempt {
        delivery,
        task,
        generation,
    } = attempt;
    let (message, task, how) = match delivery.payload {
        Payload::Unreadable(reason) => {
            let failure = failure("UnreadableMessage", reason.to_string(), Advice::Never);
            let over = Begun::Over(Outcome::Failed(failure));
            (nameless(delivery.task_id), None, over)
        }
        Payload::Message(message) => {
            // What starts after a new version serves runs on it, whenever it was fetched.
            let task = if context.catalog.generation() == generation {
                task
            } else {
                context.catalog.task_of(&message)
            };
            let how = run(context, delivery.deliveries, &message, task.as_ref());
            (message, task.ok(), how.unwrap_or_else(Begun::Over))
        }
    };
    let case = Case {
        ticket,
        lease: delivery.lease,
        raw: delivery.raw,
        message,
        task,
        begun,
    };
    (case, how)
}

/// Loads the code of a case that could not begin without it, and begins it.
pub(crate) async fn begin_cold(context: &WorkerContext, case: &mut Case) -> Begun {
    let Some(task) = case.task.clone() else {
        unreachable!("only a task can be cold")
    };
    match task.load().await {
        Ok(code) => start(context, &case.message, &task, code),
        Err(reason) => Begun::Over(Outcome::Failed(refused(&task, &reason))),
    }
}

/// What follows from the end of a call.
pub(crate) fn conclude(
    context: &WorkerContext,
    case: Case,
    ended: chicory_runtime::Ended,
) -> Finished {
    log_lines(&case.message, &ended.log);
    finish(
        context,
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
fn nameless(task_id: String) -> Box<TaskMessage> {
    Box::new(TaskMessage {
        id: task_id,
        ..TaskMessage::default()
    })
}

/// The call that the message asks for, or the failure that stands for it.
fn run(
    context: &WorkerContext,
    deliveries: u32,
    message: &TaskMessage,
    task: Result<&Arc<CatalogTask>, &String>,
) -> Result<Begun, Outcome> {
    let limit = context.config.max_deliveries;
    if deliveries > limit {
        let text = format!(
            "handed out {deliveries} times and never settled, so it may be what ends its workers (max_deliveries is {limit})"
        );
        return Err(Outcome::Failed(failure(
            "LeaseExpired",
            text,
            Advice::Never,
        )));
    }
    let task = task.map_err(|reason| {
        let missing = failure("TaskNotFound", reason.clone(), Advice::Policy);
        Outcome::Failed(missing)
    })?;
    match task.loaded() {
        None => Ok(Begun::Cold),
        Some(Ok(code)) => Ok(start(context, message, task, code)),
        Some(Err(reason)) => Err(Outcome::Failed(refused(task, &reason))),
    }
}

fn start(
    context: &WorkerContext,
    message: &TaskMessage,
    task: &CatalogTask,
    code: Arc<Task>,
) -> Begun {
    let invocation = invocation(context, message, task, code);
    Begun::Running(context.runner.run(invocation))
}

/// This worker can't have the task's code. Another may, so the policy's retries go on.
fn refused(task: &CatalogTask, reason: &str) -> Failure {
    let text = format!("version {} can't be used here: {reason}", task.digest());
    failure("ModuleRefused", text, Advice::Policy)
}

fn invocation(
    context: &WorkerContext,
    message: &TaskMessage,
    task: &CatalogTask,
    code: Arc<Task>,
) -> Invocation {
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
        observer: context.events.observer(message),
        arguments: message.arguments.clone(),
        task: code,
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

/// Tells the task how an attempt at it went, and counts it where its module has a canary.
fn note(task: Option<&CatalogTask>, outcome: &Outcome, duration: Duration) {
    if let Some(task) = task {
        task.took(duration);
    }
    if let Some(trial) = task.and_then(|task| task.trial.as_ref()) {
        trial.counters.count(trial.canary, outcome);
    }
}

/// Decides, and puts together all that the settlement needs.
pub(crate) fn finish(
    context: &WorkerContext,
    case: Case,
    outcome: &Outcome,
    usage: Option<Usage>,
) -> Finished {
    let Case {
        ticket,
        lease,
        raw,
        message,
        task,
        begun,
    } = case;
    let none = RetryPolicy::none();
    let terms = DecideContext {
        policy: task.as_ref().map_or(&none, |task| &task.policy),
        // A message nobody can read is somebody's work: kept whatever the setting.
        dead_letters: context.config.dead_letters || message.name.is_empty(),
        canary: task.as_ref().is_some_and(|task| task.is_canary()),
        now: context.clock.now(),
    };
    let settlement = decide(outcome, &message, terms);
    let duration = begun.elapsed();
    note(task.as_deref(), outcome, duration);
    let ignored = message.ignore_result || task.as_ref().is_some_and(|task| task.ignore_result);
    let record = match settlement {
        Settlement::Release => None,
        _ if ignored => None,
        _ => Some(translate::record(
            &message.id,
            message.reply_to,
            outcome,
            &settlement,
            usage.as_ref(),
        )),
    };
    let report = Report {
        error: error(outcome),
        duration,
        usage,
    };
    let settle = SettleRequest {
        lease,
        raw,
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
