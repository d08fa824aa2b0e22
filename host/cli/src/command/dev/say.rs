//! What tasks do, as lines for a terminal. Pure.
//!
//! Must not know where events come from.

use chicory_queue::{Settlement, TaskResult};
use chicory_worker::{AttemptEnd, Note, Said};

use crate::output::{printable, shorten};

/// A line of a task's log, or its progress.
pub(super) fn said(said: &Said) -> String {
    let what = match &said.note {
        Note::Log(line) => format!(
            "{:<5} {}",
            format!("{:?}", line.level).to_uppercase(),
            line.message
        ),
        Note::Progress { percent, message } => {
            format!("{percent:>4.0}% {}", message.as_deref().unwrap_or_default())
        }
    };
    printable(&format!(
        "{} {} {what}",
        short(&said.task_id),
        said.task_name
    ))
}

/// How an attempt ended, with the result or where it failed.
pub(super) fn ended(end: &AttemptEnd, stored: Option<&TaskResult>) -> String {
    let what = match &end.settlement {
        Settlement::Complete if end.error.is_none() => {
            let result = stored.and_then(|stored| stored.result.as_ref());
            let result = result.map_or_else(String::new, |result| {
                format!(": {}", shorten(&result.to_string(), 200))
            });
            format!("done{result}")
        }
        Settlement::Complete => "failed".into(),
        Settlement::Retry { .. } => "failed, and will be retried".into(),
        Settlement::DeadLetter { .. } => "failed, and became a dead letter".into(),
        Settlement::Release => "given back".into(),
    };
    let error = end
        .error
        .as_ref()
        .map_or_else(String::new, |error| format!(": {error}"));
    let trace = stored.and_then(|stored| stored.traceback.as_ref());
    let trace = trace.map_or_else(String::new, |trace| format!("\n{trace}"));
    printable(&format!(
        "{} {} {what}{error} (attempt {}, {:.1} ms){trace}",
        short(&end.task_id),
        end.task_name.as_deref().unwrap_or("(unreadable)"),
        end.attempt,
        end.duration.as_secs_f64() * 1000.0,
    ))
}

/// The end of an id, where ids differ.
fn short(id: &str) -> &str {
    let start = id.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
    &id[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened() {
        assert_eq!(short("1b4e28ba-2fa1-11d2-883f-0016d3cca427"), "d3cca427");
        assert_eq!(short("t1"), "t1");
    }

    #[test]
    fn progress_is_a_line_without_control_characters() {
        let said_of = Said {
            task_id: "t1".into(),
            task_name: "m.f".into(),
            attempt: 1,
            note: Note::Progress {
                percent: 40.0,
                message: Some("half\x1b[2J".into()),
            },
        };
        assert_eq!(said(&said_of), "t1 m.f   40% half");
    }
}
