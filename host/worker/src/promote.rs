//! Duty: moves due messages to the ready ones, asleep until the next is due.
//!
//! A wake-up tells of a message due earlier than known. Wake-ups can be lost, and producers of
//! other kinds send none, so it looks at a slow pace as well.

use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{Timestamp, Wake};
use tokio::sync::mpsc;

use crate::shift::{Patience, Shift};

/// Moved in one step: short enough not to hold up the server's other clients.
const BATCH: usize = 1000;

/// Runs until it is dropped.
pub(crate) async fn promote(shift: Arc<Shift>) {
    // With many queues each is looked at less often, so that an idle worker stays quiet.
    let queues = u32::try_from(shift.queues.len()).unwrap_or(u32::MAX);
    let pace = Duration::from_secs(1).max(Duration::from_millis(300) * queues);
    let mut wakes = subscribe(&shift).await;
    let mut due = vec![Timestamp::default(); shift.queues.len()];
    loop {
        for (queue, due) in shift.queues.iter().zip(&mut due) {
            if *due <= shift.clock.now() {
                *due = promote_due(&shift, queue, pace).await;
            }
        }
        let next = due.iter().min().copied().unwrap_or_default();
        let rest = next.since(shift.clock.now());
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            wake = wakes.recv() => match wake {
                Some(wake) => heed(&shift, &mut due, &wake),
                None => wakes = subscribe(&shift).await,
            },
        }
    }
}

fn heed(shift: &Shift, due: &mut [Timestamp], wake: &Wake) {
    if let Some(at) = shift.queues.iter().position(|queue| *queue == wake.queue) {
        due[at] = due[at].min(wake.due);
    }
}

/// Moves all that is due; says when to look again.
async fn promote_due(shift: &Shift, queue: &str, pace: Duration) -> Timestamp {
    loop {
        let latest = shift.clock.now().after(pace);
        let answer = shift.connected.broker.promote(queue, BATCH).await;
        match shift.note(answer) {
            Some((moved, _)) if moved >= BATCH => {}
            Some((_, next)) => return next.map_or(latest, |next| next.min(latest)),
            None => return latest,
        }
    }
}

async fn subscribe(shift: &Shift) -> mpsc::Receiver<Wake> {
    let mut patience = Patience::new();
    loop {
        let answer = shift.connected.broker.subscribe(&shift.queues).await;
        if let Some(wakes) = shift.note(answer) {
            return wakes;
        }
        patience.wait().await;
    }
}
