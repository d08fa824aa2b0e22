//! Follows tasks to their outcomes through the worker's events, and prints what happens.
//!
//! Must not know which outcome is expected.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chicory_queue::Settlement;
use chicory_worker::{AttemptEnd, WorkerEvent};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::output::{Output, shorten, write_line};

/// A task that has ended.
#[derive(Debug, Clone)]
pub(super) struct Finish {
    /// Its last attempt.
    pub(super) end: AttemptEnd,
    /// The time from the start of the watch to its end.
    pub(super) after: Duration,
}

/// Waits until each of `ids` has ended, and returns the outcomes by id; a missing one did not end in time.
pub(super) async fn until_ended(
    events: &mut UnboundedReceiver<WorkerEvent>,
    ids: &[String],
    begun: Instant,
    output: Output,
) -> anyhow::Result<HashMap<String, Finish>> {
    let mut ended = HashMap::new();
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    while ended.len() < ids.len() {
        let event = tokio::select! {
            event = events.recv() => event.context("the worker has stopped")?,
            () = &mut deadline => break,
        };
        let WorkerEvent::Ended(end) = event else {
            continue;
        };
        if !ids.contains(&end.task_id) {
            continue;
        }
        let after = begun.elapsed();
        if !output.is_json() {
            write_line(&line(&end, after))?;
        }
        if is_final(&end) {
            ended.insert(end.task_id.clone(), Finish { end: *end, after });
        }
    }
    Ok(ended)
}

/// Far more than the demo takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn is_final(end: &AttemptEnd) -> bool {
    end.applied
        && matches!(
            end.settlement,
            Settlement::Complete | Settlement::DeadLetter { .. }
        )
}

fn line(end: &AttemptEnd, after: Duration) -> String {
    let what = match &end.settlement {
        Settlement::Complete if end.error.is_none() => "done",
        Settlement::Complete => "failed",
        Settlement::Retry { .. } => "failed, will be retried",
        Settlement::DeadLetter { .. } => "failed, now a dead letter",
        Settlement::Release => "given back",
    };
    let error = end
        .error
        .as_deref()
        .map_or_else(String::new, |error| format!(" ({})", shorten(error, 60)));
    format!(
        "{:>6.2} s  {:<24} attempt {}: {what}{error}",
        after.as_secs_f64(),
        end.task_name.as_deref().unwrap_or("(unreadable)"),
        end.attempt,
    )
}
