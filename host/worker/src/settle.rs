//! Duty: settles what has ended, as many at a time as have gathered during the last round trip.
//!
//! A broker that is away is tried again until it answers: what has ended must not be lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chicory_queue::{Settle, Settled, Settlement};
use tokio::sync::mpsc;

use crate::event::{TaskEnd, WorkerEvent};
use crate::execute::Finished;
use crate::shift::{Patience, Shift};

/// One script call should not hold up other clients of the server for long.
const LARGEST_BATCH: usize = 256;

/// Settles until the worker closes and nothing is left.
pub(crate) async fn settle(shift: Arc<Shift>, mut finished: mpsc::Receiver<Vec<Finished>>) {
    loop {
        let mut gathered = tokio::select! {
            biased;
            Some(first) = finished.recv() => first,
            () = shift.closing.cancelled() => return,
        };
        while gathered.len() < LARGEST_BATCH
            && let Ok(more) = finished.try_recv()
        {
            gathered.extend(more);
        }
        let mut tickets = Vec::with_capacity(gathered.len());
        let mut batch = Vec::with_capacity(gathered.len());
        let mut ends = Vec::with_capacity(gathered.len());
        for Finished {
            ticket,
            settle,
            end,
        } in gathered
        {
            tickets.push(ticket);
            batch.push(settle);
            ends.push(end);
        }
        let answers = settle_all(&shift, &batch).await;
        shift.held.remove(tickets.into_iter());
        for (end, answer) in ends.into_iter().zip(answers) {
            report(&shift, end, answer);
        }
    }
}

async fn settle_all(shift: &Shift, batch: &[Settle]) -> Vec<Settled> {
    let mut patience = Patience::new();
    loop {
        let answer = shift.connected.broker.settle(batch).await;
        if let Some(answers) = shift.note(answer) {
            return answers;
        }
        patience.wait().await;
    }
}

fn report(shift: &Shift, mut end: TaskEnd, answer: Settled) {
    end.applied = answer == Settled::Applied;
    shift.counts.processed.fetch_add(1, Ordering::Relaxed);
    if end.error.is_some() {
        shift.counts.failed.fetch_add(1, Ordering::Relaxed);
    }
    log(&end);
    shift.events.send(|| WorkerEvent::Ended(Box::new(end)));
}

fn log(end: &TaskEnd) {
    let (id, task, attempt) = (&end.task_id, &end.task_name, end.attempt);
    let took_ms = end.duration.as_secs_f64() * 1e3;
    if !end.applied {
        tracing::warn!(task_id = %id, %task, attempt, "the lease was lost: another worker has this task by now, or it was purged");
        return;
    }
    let error = end.error.as_deref().unwrap_or_default();
    match &end.settlement {
        Settlement::Complete if end.error.is_none() => {
            tracing::info!(task_id = %id, %task, attempt, took_ms, "done");
        }
        Settlement::Complete => {
            tracing::warn!(task_id = %id, %task, attempt, took_ms, %error, "failed, and given up on");
        }
        Settlement::Retry { at, .. } => {
            tracing::warn!(task_id = %id, %task, attempt, took_ms, %error, %at, "failed; to be retried");
        }
        Settlement::DeadLetter { .. } => {
            tracing::warn!(task_id = %id, %task, attempt, took_ms, %error, "failed, and dead-lettered");
        }
        Settlement::Release => {
            tracing::info!(task_id = %id, %task, attempt, "interrupted, and released");
        }
    }
}
