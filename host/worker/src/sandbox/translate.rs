//! From the runtime's words to the queue's, and from an outcome to what clients see of it.
//!
//! Pure. Must not decide what happens to a message.

use chicory_queue::{Advice, Failure, Outcome, ResultRecord, Settlement, TaskState};
use chicory_runtime::{Advice as GuestAdvice, How, Usage};

/// What an ending means for the queue.
pub fn outcome(how: How) -> Outcome {
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

/// The rest, where there is any, is the guest's backtrace.
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
        // The same arguments stay wrong, and what is not granted stays so.
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

/// What a task acknowledged before it ran leaves when its worker stops.
pub(crate) fn cancelled() -> Failure {
    Failure {
        name: "Cancelled".into(),
        message: "the worker stopped while the task was at work; at most once, it is not run again"
            .into(),
        traceback: None,
        advice: Advice::Never,
    }
}

/// The record to write along with a settlement.
pub(crate) fn record(
    task_id: &str,
    reply_to: Option<String>,
    outcome: &Outcome,
    settlement: &Settlement,
    usage: Option<&Usage>,
) -> ResultRecord {
    let state = match (outcome, settlement) {
        (_, Settlement::Retry { .. }) => TaskState::Retry,
        (Outcome::Completed { .. }, _) => TaskState::Success,
        // Clients wait for SUCCESS or FAILURE, so a dead letter is a FAILURE too.
        _ => TaskState::Failure,
    };
    ResultRecord {
        task_id: task_id.to_owned(),
        state,
        body: state
            .is_final()
            .then(|| body(task_id, state, outcome, usage)),
        reply_to,
    }
}

/// A [`chicory_queue::TaskResult`] as JSON. The result is JSON already and is not parsed again.
fn body(task_id: &str, state: TaskState, outcome: &Outcome, usage: Option<&Usage>) -> String {
    let (result, error, traceback) = match outcome {
        Outcome::Completed { result } => (result.as_str(), None, None),
        Outcome::Failed(failure) => (
            "null",
            Some(failure.describe()),
            failure.traceback.as_deref(),
        ),
        Outcome::Interrupted => ("null", None, None),
    };
    let mut text = Vec::with_capacity(result.len() + 224);
    text.extend_from_slice(b"{\"task_id\":");
    add(&mut text, task_id);
    text.extend_from_slice(b",\"state\":");
    add(&mut text, state.name());
    text.extend_from_slice(b",\"result\":");
    text.extend_from_slice(result.as_bytes());
    text.extend_from_slice(b",\"error\":");
    add(&mut text, &error);
    text.extend_from_slice(b",\"traceback\":");
    add(&mut text, &traceback);
    if let Some(usage) = usage {
        text.extend_from_slice(b",\"usage\":");
        add(&mut text, usage);
    }
    text.push(b'}');
    match String::from_utf8(text) {
        Ok(text) => text,
        Err(error) => unreachable!("JSON is UTF-8: {error}"),
    }
}

fn add(text: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    if let Err(error) = serde_json::to_writer(text, value) {
        unreachable!("texts and numbers only: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chicory_queue::TaskResult;
    use serde_json::value::RawValue;
    use std::time::Duration;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn a_result_is_stored_as_clients_read_it() {
        let outcome = outcome(How::Returned(raw(r#"{"a":[1,"x"]}"#)));
        let usage = Usage {
            wall: Duration::from_micros(1500),
            fuel: Some(7),
            ..Usage::default()
        };
        let record = record(
            "id \"1\"",
            None,
            &outcome,
            &Settlement::Complete,
            Some(&usage),
        );
        let read: TaskResult = serde_json::from_str(&record.body.unwrap()).unwrap();
        assert_eq!(
            (read.task_id.as_str(), read.state),
            ("id \"1\"", TaskState::Success)
        );
        assert_eq!(read.result.unwrap()["a"][1], "x");
        assert_eq!(read.extra["usage"], serde_json::to_value(usage).unwrap());
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
        let dead = Settlement::DeadLetter {
            error: failure.describe(),
            failed_at: chicory_queue::Timestamp::now(),
        };
        let record = record("a", None, &Outcome::Failed(failure), &dead, None);
        assert_eq!(record.state, TaskState::Failure);
        let read: TaskResult = serde_json::from_str(&record.body.unwrap()).unwrap();
        assert_eq!(read.error.as_deref(), Some("Trap: unreachable"));
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

    #[test]
    fn a_retry_changes_only_the_state() {
        let failed = Outcome::Failed(cancelled());
        let message = Box::new(chicory_queue::TaskMessage::new("m.f"));
        let retry = Settlement::Retry {
            at: chicory_queue::Timestamp::now(),
            message,
        };
        let record = record("a", None, &failed, &retry, None);
        assert_eq!((record.state, record.body), (TaskState::Retry, None));
    }
}
