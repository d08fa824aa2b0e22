//! The outcome of each task and whether it was expected, as a table or as JSON.
//!
//! Must not know how tasks were run.

use chicory_queue::{Settlement, TaskResult};
use serde::Serialize;
use serde_json::Value;

use super::cases::{Case, End};
use super::observe::Finish;
use crate::output::{shorten, table};

/// One task's line.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    task: &'static str,
    about: &'static str,
    id: String,
    /// `SUCCESS`, `FAILURE`, or what is missing.
    state: &'static str,
    attempts: u32,
    /// The duration of the last attempt, in milliseconds.
    last_try_ms: f64,
    /// The time from enqueueing to the outcome, in seconds.
    ended_after_s: f64,
    result: Option<Value>,
    error: Option<String>,
    as_expected: bool,
}

impl Row {
    /// The outcome of `case`. Without a `finish`, it did not end in time.
    pub(super) fn new(
        case: &Case,
        id: &str,
        finish: Option<&Finish>,
        stored: Option<&TaskResult>,
    ) -> Self {
        Self {
            task: case.task,
            about: case.about,
            id: id.to_owned(),
            state: finish.map_or("NOT ENDED", state),
            attempts: finish.map_or(0, |finish| finish.end.attempt),
            last_try_ms: finish.map_or(0.0, |finish| finish.end.duration.as_secs_f64() * 1e3),
            ended_after_s: finish.map_or(0.0, |finish| finish.after.as_secs_f64()),
            result: stored.and_then(|stored| stored.result.clone()),
            error: stored.and_then(|stored| stored.error.clone()),
            as_expected: finish.is_some_and(|finish| as_expected(case, finish, stored)),
        }
    }

    /// Whether the task ended as it should.
    pub(super) fn as_expected(&self) -> bool {
        self.as_expected
    }
}

/// A dead letter is a failure for clients, too.
const DEAD: &str = "FAILURE, dead letter";

fn state(finish: &Finish) -> &'static str {
    match (&finish.end.settlement, &finish.end.error) {
        (Settlement::DeadLetter { .. }, _) => DEAD,
        (_, Some(_)) => "FAILURE",
        (_, None) => "SUCCESS",
    }
}

fn as_expected(case: &Case, finish: &Finish, stored: Option<&TaskResult>) -> bool {
    let Some(stored) = stored else {
        return false;
    };
    let ended = match case.end {
        End::Returns(check) => {
            state(finish) == "SUCCESS" && stored.result.as_ref().is_some_and(check)
        }
        End::Dies(name) => {
            let error = stored.error.as_deref().unwrap_or_default();
            state(finish) == DEAD && error.split(':').next().is_some_and(|start| start == name)
        }
    };
    let early = case.delay.is_some_and(|delay| finish.after < delay);
    ended && !early && finish.end.attempt == case.attempts
}

/// The table for people.
pub(super) fn human(rows: &[Row]) -> String {
    let header = [
        "TASK",
        "WHAT IT SHOWS",
        "STATE",
        "ATTEMPTS",
        "LAST TRY",
        "ENDED AFTER",
        "RESULT OR ERROR",
        "AS EXPECTED",
    ];
    table(
        header,
        rows.iter().map(|row| {
            let end = match (&row.error, &row.result) {
                (Some(error), _) => error.clone(),
                (None, Some(Value::String(text))) => text.clone(),
                (None, Some(result)) => result.to_string(),
                (None, None) => String::new(),
            };
            [
                row.task.to_owned(),
                row.about.to_owned(),
                row.state.to_owned(),
                row.attempts.to_string(),
                format!("{:.1} ms", row.last_try_ms),
                format!("{:.2} s", row.ended_after_s),
                shorten(&end, 48),
                if row.as_expected { "yes" } else { "NO" }.to_owned(),
            ]
        }),
    )
}
