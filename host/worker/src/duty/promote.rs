//! Duty: makes due messages ready, and sleeps until the next one is due.
//!
//! The store's clock decides what is due; the worker only measures how long it sleeps. A wake-up reports a message that
//! is due earlier than known. Wake-ups can be lost, and other kinds of producers send none, so it also checks once a
//! second.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Timestamp, Wake};
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::context::WorkerContext;

/// Messages moved in one step: few enough not to hold up the server's other clients.
const BATCH: usize = 1000;

/// The longest time between two checks, however many queues there are: one check covers them all.
const PACE: Duration = Duration::from_secs(1);

/// Runs until it is dropped. Queues on different servers don't wait for each other.
pub(crate) async fn promote(context: Arc<WorkerContext>) {
    let groups = context.connected.broker.groups(&context.queues);
    let mut senders = Vec::new();
    let promoters: Vec<_> = (groups.iter().copied())
        .map(|queues| {
            let (wakes, receiver) = mpsc::unbounded_channel();
            senders.push((queues, wakes));
            promote_group(&context, queues, receiver)
        })
        .collect();
    tokio::join!(hand_on(&context, &senders), join_all(promoters));
}

/// Hands each wake-up to the promoter of its queue.
async fn hand_on(
    context: &WorkerContext,
    senders: &[(&[Arc<str>], mpsc::UnboundedSender<Timestamp>)],
) {
    let mut subscribed = subscribe(context).await;
    loop {
        let Some(wake) = subscribed.recv().await else {
            subscribed = subscribe(context).await;
            continue;
        };
        let group = senders
            .iter()
            .find(|(queues, _)| queues.contains(&wake.queue));
        if let Some((_, promoter)) = group {
            // It ends together with this.
            let _ = promoter.send(wake.due);
        }
    }
}

async fn promote_group(
    context: &WorkerContext,
    queues: &[Arc<str>],
    mut wakes: mpsc::UnboundedReceiver<Timestamp>,
) {
    loop {
        let answer = context.connected.broker.promote(queues, BATCH).await;
        let (looked, answer) = (Instant::now(), context.note(answer));
        let Some(promoted) = answer else {
            tokio::time::sleep(PACE).await;
            continue;
        };
        if promoted.moved >= BATCH {
            continue;
        }
        let from_now = |due: Timestamp| looked + due.since(promoted.now).min(PACE);
        let mut next = promoted.next.map_or(looked + PACE, from_now);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => break,
                Some(due) = wakes.recv() => next = next.min(from_now(due)),
            }
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
