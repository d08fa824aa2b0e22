//! What clients see of an outcome: a task's new state, and its result in stored form.
//!
//! Pure. Must not decide what happens to a message.

use chicory_queue::{Delivery, Outcome, Settlement, TaskState};
use chicory_signature::Usage;

/// A task's new state, and the stored form of its result if the state is final.
pub(crate) struct StateChange {
    pub(crate) state: TaskState,
    pub(crate) body: Option<String>,
}

/// Which of a task's states and results are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    All,
    /// Only how it ended, because someone waits for that.
    End,
    Nothing,
}

/// The change to write along with a settlement; `None` if the task has made no progress.
pub(crate) fn state_change(
    delivery: &Delivery,
    outcome: &Outcome,
    settlement: &Settlement,
    usage: Option<&Usage>,
    kept: Kept,
) -> Option<StateChange> {
    if kept == Kept::Nothing {
        return None;
    }
    let state = match (outcome, settlement) {
        (_, Settlement::Release) => return None,
        (_, Settlement::Retry { .. }) => TaskState::Retry,
        (Outcome::Completed { .. }, _) => TaskState::Success,
        // Clients wait for SUCCESS or FAILURE, so a dead letter is a FAILURE too.
        _ => TaskState::Failure,
    };
    let ignored = kept == Kept::End;
    if ignored && !state.is_final() {
        return None;
    }
    let body =
        (state.is_final()).then(|| body(delivery.message_id(), state, outcome, usage, ignored));
    Some(StateChange { state, body })
}

/// A [`chicory_queue::TaskResult`] as JSON. The task's result is already JSON and is not parsed again.
fn body(
    task_id: &str,
    state: TaskState,
    outcome: &Outcome,
    usage: Option<&Usage>,
    ignored: bool,
) -> String {
    let (result, error, traceback) = match outcome {
        Outcome::Completed { .. } if ignored => ("null", None, None),
        Outcome::Completed { result } => (result.as_str(), None, None),
        Outcome::Failed(failure) => (
            "null",
            Some(failure.describe()),
            failure.traceback.as_deref(),
        ),
        Outcome::Interrupted | Outcome::Postponed { .. } => ("null", None, None),
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
    if ignored {
        text.extend_from_slice(b",\"ignored\":true");
    }
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
    use chicory_queue::{Advice, Failure, Lease, Payload, TaskMessage, TaskResult, Timestamp};
    use std::time::Duration;

    fn delivery(id: &str) -> Delivery {
        let message = TaskMessage {
            id: id.into(),
            ..TaskMessage::new("m.f")
        };
        Delivery {
            lease: Lease {
                tenant: chicory_queue::TenantName::default(),
                queue: "q".into(),
                entry: "1".into(),
                consumer: "c".into(),
                acknowledged: false,
                reclaims: None,
                noted_id: None,
            },
            raw: message.encode().into(),
            task_id: id.into(),
            payload: Payload::Message(message),
            deliveries: 1,
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed(Failure {
            name: "Trap".into(),
            message: "unreachable".into(),
            traceback: Some("  at work".into()),
            advice: Advice::Policy,
        })
    }

    fn read(change: &StateChange) -> TaskResult {
        serde_json::from_str(change.body.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn a_result_is_stored_as_clients_read_it() {
        let outcome = Outcome::Completed {
            result: r#"{"a":[1,"x"]}"#.into(),
        };
        let usage = Usage {
            wall: Duration::from_micros(1500),
            fuel: Some(7),
            ..Usage::default()
        };
        let delivery = delivery("id \"1\"");
        let change = state_change(
            &delivery,
            &outcome,
            &Settlement::Complete,
            Some(&usage),
            Kept::All,
        );
        let read = read(&change.unwrap());
        assert_eq!(
            (read.task_id.as_str(), read.state),
            ("id \"1\"", TaskState::Success)
        );
        assert_eq!(read.result.unwrap()["a"][1], "x");
        assert_eq!(read.extra["usage"], serde_json::to_value(usage).unwrap());
    }

    #[test]
    fn a_dead_letter_is_a_failure_to_clients() {
        let dead = Settlement::DeadLetter {
            error: "Trap: unreachable".into(),
            failed_at: Timestamp::now(),
        };
        let change = state_change(&delivery("a"), &failed(), &dead, None, Kept::All).unwrap();
        assert_eq!(change.state, TaskState::Failure);
        let read = read(&change);
        assert_eq!(read.error.as_deref(), Some("Trap: unreachable"));
        assert_eq!(read.traceback.as_deref(), Some("  at work"));
    }

    /// Case Q2.
    #[test]
    fn of_an_ignored_result_only_the_end_is_told() {
        let outcome = Outcome::Completed { result: "3".into() };
        let change = |kept, outcome: &Outcome, settlement: &Settlement| {
            state_change(&delivery("a"), outcome, settlement, None, kept)
        };
        let end = change(Kept::End, &outcome, &Settlement::Complete).unwrap();
        let read = read(&end);
        assert!(read.ignored && read.result.is_none() && read.state == TaskState::Success);
        let retry = Settlement::Retry {
            at: Timestamp::now(),
            message: Box::new(TaskMessage::new("m.f")),
        };
        assert!(change(Kept::End, &failed(), &retry).is_none());
        assert!(change(Kept::Nothing, &outcome, &Settlement::Complete).is_none());
    }

    #[test]
    fn a_retry_changes_only_the_state() {
        let retry = Settlement::Retry {
            at: Timestamp::now(),
            message: Box::new(TaskMessage::new("m.f")),
        };
        let change = state_change(&delivery("a"), &failed(), &retry, None, Kept::All).unwrap();
        assert_eq!((change.state, change.body), (TaskState::Retry, None));
    }

    #[test]
    fn a_release_changes_nothing() {
        let delivery = delivery("a");
        let change = state_change(
            &delivery,
            &Outcome::Interrupted,
            &Settlement::Release,
            None,
            Kept::All,
        );
        assert!(change.is_none());
    }
}
