//! Duty: settles what has ended, as many at a time as have gathered during the last round trip. Two round
//! trips may be under way, so that the broker has work while the next batch is put together.
//!
//! A broker that is away is tried again until it answers: what has ended must not be lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_channel::Receiver;
use chicory_queue::{SettleRequest, Settled, Settlement};
use tokio::sync::Mutex;

use crate::attempt::{Finished, Report};
use crate::backoff::Backoff;
use crate::context::WorkerContext;
use crate::observer::{TaskEnd, WorkerEvent};

/// One script call should not hold up other clients of the server for long.
const LARGEST_BATCH: usize = 256;
/// A few ends wait so long for others, and so often, where nobody is kept from work by it: a round trip of their own
/// would cost the machine more than a short task does.
const FEW: usize = 16;
const GATHER: Duration = Duration::from_millis(1);
const GATHERINGS: usize = 10;

/// Settles until the worker closes and nothing is left.
pub(crate) async fn settle(context: Arc<WorkerContext>, finished: Receiver<Vec<Finished>>) {
    // Only one batch gathers at a time: two would share the ends between them.
    let finished = Mutex::new(finished);
    let one = || batches(&context, &finished);
    futures::future::join(one(), one()).await;
}

/// What has ended; none once the worker closes and nothing is left.
async fn gather(
    context: &WorkerContext,
    finished: &Receiver<Vec<Finished>>,
) -> Option<Vec<Finished>> {
    let mut gathered = tokio::select! {
        biased;
        Ok(first) = finished.recv() => first,
        () = context.closing.cancelled() => return None,
    };
    add_more(&mut gathered, finished);
    for _ in 0..GATHERINGS {
        if gathered.len() >= FEW || !context.has_stock() {
            break;
        }
        tokio::time::sleep(GATHER).await;
        add_more(&mut gathered, finished);
    }
    Some(gathered)
}

/// Adds what has ended meanwhile.
fn add_more(gathered: &mut Vec<Finished>, finished: &Receiver<Vec<Finished>>) {
    while gathered.len() < LARGEST_BATCH
        && let Ok(more) = finished.try_recv()
    {
        gathered.extend(more);
    }
}

/// Settles one batch after the other.
async fn batches(context: &WorkerContext, finished: &Mutex<Receiver<Vec<Finished>>>) {
    loop {
        let gathered = gather(context, &*finished.lock().await).await;
        let Some(gathered) = gathered else {
            return;
        };
        let mut tickets = Vec::with_capacity(gathered.len());
        let mut batch = Vec::with_capacity(gathered.len());
        let mut reports = Vec::with_capacity(gathered.len());
        for Finished {
            ticket,
            settle,
            report,
        } in gathered
        {
            tickets.push(ticket);
            batch.push(settle);
            reports.push(report);
        }
        let answers = settle_all(context, &batch).await;
        context.held.remove(tickets.into_iter());
        for ((settle, report), answer) in batch.into_iter().zip(reports).zip(answers) {
            tell(context, settle, report, answer == Settled::Applied);
        }
    }
}

async fn settle_all(context: &WorkerContext, batch: &[SettleRequest]) -> Vec<Settled> {
    let mut backoff = Backoff::new();
    loop {
        let answer = context.connected.broker.settle(batch).await;
        if let Some(answers) = context.note(answer) {
            return answers;
        }
        backoff.wait().await;
    }
}

/// Counts and logs a try; builds its event only for a listener.
fn tell(context: &WorkerContext, settle: SettleRequest, report: Report, applied: bool) {
    context.counts.processed.fetch_add(1, Ordering::Relaxed);
    if report.error.is_some() {
        context.counts.failed.fetch_add(1, Ordering::Relaxed);
    }
    log(&settle, &report, applied);
    context.events.send(|| {
        WorkerEvent::Ended(Box::new(TaskEnd {
            task_id: settle.task_id,
            task_name: settle.task_name,
            queue: settle.lease.queue.to_string(),
            attempt: settle.retries + 1,
            error: report.error,
            settlement: settle.settlement,
            applied,
            duration: report.duration,
            usage: report.usage,
        }))
    });
}

fn log(settle: &SettleRequest, report: &Report, applied: bool) {
    let (id, task, attempt) = (&settle.task_id, &settle.task_name, settle.retries + 1);
    let took_ms = report.duration.as_secs_f64() * 1e3;
    if !applied {
        tracing::warn!(task_id = %id, %task, attempt, "the lease was lost: another worker has this task by now, or it was purged");
        return;
    }
    let error = report.error.as_deref().unwrap_or_default();
    match &settle.settlement {
        Settlement::Complete if report.error.is_none() => {
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
