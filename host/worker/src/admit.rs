//! Lets deliveries start: each is held, and handed to whoever runs it.
//!
//! Must not know whether they were fetched or reclaimed.

use std::sync::Arc;
use std::time::Instant;

use chicory_queue::{Delivery, DeliveryMode, Settled};
use tokio::sync::OwnedSemaphorePermit;

use crate::attempt::{Attempt, Ready};
use crate::context::WorkerContext;
use crate::{execute, lane};

/// Starts the deliveries, each with one of the permits: in a lane, or here where one comes alone and is soon over.
pub(crate) async fn admit(
    context: &Arc<WorkerContext>,
    deliveries: Vec<Delivery>,
    permits: &mut OwnedSemaphorePermit,
) {
    if deliveries.is_empty() {
        return;
    }
    let now = Instant::now();
    let find = |delivery: Delivery| {
        let found = execute::find(context, &delivery);
        Attempt::new(delivery, found, now)
    };
    let mut attempts: Vec<Attempt> = deliveries.into_iter().map(find).collect();
    acknowledge_first(context, &mut attempts).await;
    let attempts = context.held.insert(attempts.into_iter());
    let alone = attempts.len() == 1;
    let mut ready = attempts.into_iter().map_while(|attempt| {
        let permit = permits.split(1)?;
        Some(Ready { attempt, permit })
    });
    if !alone {
        context.work.start(ready);
    } else if let Some(ready) = ready.next() {
        if ready.may_run_here() {
            lane::run_here(context, ready).await;
        } else {
            context.work.start(std::iter::once(ready));
        }
    }
}

/// At most once: acknowledged before it runs. What can't be acknowledged does not run here.
async fn acknowledge_first(context: &WorkerContext, attempts: &mut Vec<Attempt>) {
    let usual = context.config.delivery_mode;
    let at_most_once = |attempt: &mut Attempt| {
        let mode = (attempt.task()).map(|task| task.profile().delivery_mode.unwrap_or(usual));
        mode == Some(DeliveryMode::AtMostOnce)
    };
    let now: Vec<Attempt> = attempts.extract_if(.., at_most_once).collect();
    if now.is_empty() {
        return;
    }
    let leases: Vec<_> = now.iter().map(|attempt| attempt.lease().clone()).collect();
    let answer = context.connected.broker.acknowledge(&leases).await;
    // Without an answer they may or may not be acknowledged: run none, and let leases expire.
    let settled = context.note(answer).unwrap_or_default();
    let answered = now.into_iter().zip(settled);
    attempts.extend(answered.filter_map(|(mut attempt, settled)| {
        attempt.delivery.lease.acknowledged = true;
        (settled == Settled::Applied).then_some(attempt)
    }));
}
