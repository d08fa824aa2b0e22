//! Duty: moves due messages to the ready ones, asleep until the next is due.
//!
//! A wake-up tells of a message due earlier than known. Wake-ups can be lost, and producers of
//! other kinds send none, so it looks at a slow pace as well.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Timestamp, Wake};
use tokio::sync::mpsc;

use crate::backoff::Backoff;
use crate::context::WorkerContext;

/// Moved in one step: short enough not to hold up the server's other clients.
const BATCH: usize = 1000;

/// Runs until it is dropped.
pub(crate) async fn promote(context: Arc<WorkerContext>) {
    // With many queues each is looked at less often, so that an idle worker stays quiet.
    let queues = u32::try_from(context.queues.len()).unwrap_or(u32::MAX);
    let pace = Duration::from_secs(1).max(Duration::from_millis(300) * queues);
    let mut wakes = subscribe(&context).await;
    let mut due = vec![Timestamp::default(); context.queues.len()];
    loop {
        for (queue, due) in context.queues.iter().zip(&mut due) {
            if *due <= context.clock.now() {
                *due = promote_due(&context, queue, pace).await;
            }
        }
        let next = due.iter().min().copied().unwrap_or_default();
        let rest = next.since(context.clock.now());
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            wake = wakes.recv() => match wake {
                Some(wake) => heed(&context, &mut due, &wake),
                None => wakes = subscribe(&context).await,
            },
        }
    }
}

fn heed(context: &WorkerContext, due: &mut [Timestamp], wake: &Wake) {
    if let Some(at) = context.queues.iter().position(|queue| *queue == wake.queue) {
        due[at] = due[at].min(wake.due);
    }
}

/// Moves all that is due; says when to look again.
async fn promote_due(context: &WorkerContext, queue: &str, pace: Duration) -> Timestamp {
    loop {
        let latest = context.clock.now().after(pace);
        let answer = context.connected.broker.promote(queue, BATCH).await;
        match context.note(answer) {
            Some((moved, _)) if moved >= BATCH => {}
            Some((_, next)) => return next.map_or(latest, |next| next.min(latest)),
            None => return latest,
        }
    }
}

async fn subscribe(context: &WorkerContext) -> mpsc::Receiver<Wake> {
    let mut backoff = Backoff::new();
    loop {
        let answer = context.connected.broker.subscribe(&context.queues).await;
        if let Some(wakes) = context.note(answer) {
            return wakes;
        }
        backoff.wait().await;
    }
}
