//! Translates between the queue and the runtime: a call becomes an invocation, an ending an outcome.
//!
//! Pure. Must not decide what happens to a message.

use std::sync::Arc;

use chicory_queue::{Advice, Failure, Outcome};
use chicory_runtime::{Advice as GuestAdvice, How, Invocation, Task, TaskContext};

use crate::Call;
use crate::attempt::Attempt;

/// The invocation that a call asks for.
pub(super) fn invocation(call: &Call, task: Arc<Task>) -> Invocation {
    let message = call.message();
    let observer = call
        .observer
        .clone()
        .map(|observer| -> chicory_runtime::Observer {
            let attempt = Arc::clone(&call.attempt);
            Arc::new(move |note| observer.said(attempt.info(), &note))
        });
    Invocation {
        context: context(&call.attempt),
        arguments: message.arguments.clone(),
        observer,
        task,
        cancel: None,
    }
}

/// What the task may know about its message.
fn context(attempt: &Attempt) -> TaskContext {
    let Some(message) = attempt.message() else {
        return TaskContext::default();
    };
    TaskContext {
        id: message.id.clone(),
        name: message.name.clone(),
        retries: message.retries,
        max_retries: attempt.max_retries(),
        last_error: message.last_error.clone(),
        tenant: attempt.tenant().given().map(str::to_owned),
    }
}

/// What an ending means for the queue.
pub(super) fn outcome(how: How) -> Outcome {
    let how = match how {
        How::Returned(result) => {
            let result: Box<str> = result.into();
            return Outcome::Completed {
                result: result.into(),
            };
        }
        How::Cancelled => return Outcome::Interrupted,
        other => other,
    };
    let advice = advice(&how);
    let name = how.error_name().unwrap_or("TaskError").to_owned();
    let (message, traceback) = match &how {
        How::Trapped { .. }
        | How::TimedOut { .. }
        | How::OutOfCpu { .. }
        | How::OutOfMemory { .. } => first_line(how.message()),
        How::Refused {
            message, traceback, ..
        } => (message.clone(), traceback.clone()),
        _ => (how.message(), None),
    };
    Outcome::Failed(Failure {
        name,
        message,
        traceback,
        advice,
    })
}

/// The rest, if any, is the guest's backtrace.
fn first_line(text: String) -> (String, Option<String>) {
    match text.split_once('\n') {
        Some((first, rest)) => (first.to_owned(), Some(rest.to_owned())),
        None => (text, None),
    }
}

fn advice(how: &How) -> Advice {
    match how {
        How::Refused {
            retry: GuestAdvice::RetryAfter(after),
            ..
        } => after.map_or(Advice::Policy, Advice::After),
        // The same arguments would fail again, and what is not granted stays so.
        How::Refused {
            retry: GuestAdvice::Never,
            ..
        }
        | How::Invalid(_)
        | How::Denied { .. }
        | How::TooLarge {
            what: "arguments", ..
        } => Advice::Never,
        _ => Advice::Policy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use std::time::Duration;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_trap_keeps_its_backtrace_apart() {
        let Outcome::Failed(failure) = outcome(How::Trapped {
            message: "unreachable\n  at work".into(),
        }) else {
            panic!("a trap is a failure");
        };
        assert_eq!(failure.describe(), "Trap: unreachable");
        assert_eq!(failure.traceback.as_deref(), Some("  at work"));
    }

    #[test]
    fn the_guests_advice_is_passed_on() {
        let refused = |retry| How::Refused {
            name: "e".into(),
            message: "m".into(),
            traceback: None,
            retry,
            details: raw("1"),
        };
        let advice = |how| match outcome(how) {
            Outcome::Failed(failure) => failure.advice,
            other => panic!("{other:?}"),
        };
        assert_eq!(advice(refused(GuestAdvice::Never)), Advice::Never);
        let after = Duration::from_secs(3);
        assert_eq!(
            advice(refused(GuestAdvice::RetryAfter(Some(after)))),
            Advice::After(after)
        );
        assert_eq!(advice(refused(GuestAdvice::Policy)), Advice::Policy);
        assert!(matches!(outcome(How::Cancelled), Outcome::Interrupted));
    }
}
