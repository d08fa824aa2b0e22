//! Lets deliveries start: each is held, and handed to whoever runs it.
//!
//! Must not know whether they were fetched or reclaimed.

use std::sync::Arc;
use std::time::Instant;

use chicory_queue::{Delivery, Lease, Settled};
use tokio::sync::OwnedSemaphorePermit;

use crate::attempt::lease_time::LeaseTime;
use crate::attempt::{Attempt, Ready};
use crate::context::WorkerContext;
use crate::decoding::{Renewed, Undecoded};
use crate::{execute, lane};

/// Starts the deliveries that the broker was asked for at `asked`, each with one of the permits: in a lane, or here if
/// there is only one and its task is brief. Those that still have to be decoded start afterwards.
pub(crate) async fn admit(
    context: &Arc<WorkerContext>,
    mut deliveries: Vec<Delivery>,
    asked: Instant,
    permits: &mut OwnedSemaphorePermit,
) {
    for large in deliveries.extract_if(.., |delivery| delivery.is_encoded()) {
        if let Some(permit) = permits.split(1) {
            decode_and_admit(context, large, asked, permit);
        }
    }
    admit_decoded(context, deliveries, asked, permits).await;
}

/// Decodes a delivery without delaying the duties, then starts it.
fn decode_and_admit(
    context: &Arc<WorkerContext>,
    delivery: Delivery,
    asked: Instant,
    mut permit: OwnedSemaphorePermit,
) {
    let (shared, renewing) = (Arc::clone(context), Arc::clone(context));
    let reserved = context.held.reserve(delivery.raw.len());
    let broken = context.broken.clone();
    let undecoded = Undecoded {
        delivery,
        asked,
        renewed_every: context.lease / 3,
    };
    let renew = move |lease| renewed(Arc::clone(&renewing), lease);
    context
        .decoding
        .decode(broken, undecoded, renew, async move |delivery, asked| {
            admit_decoded(&shared, vec![delivery], asked, &mut permit).await;
            drop(reserved);
        });
}

/// Renews the lease of a message that waits to be decoded.
async fn renewed(context: Arc<WorkerContext>, lease: Lease) -> Renewed {
    let asked = Instant::now();
    let answer = context.connected.broker.extend(&[lease]).await;
    match context.note(answer).as_deref() {
        Some([Settled::Applied]) => Renewed::At(asked),
        Some([Settled::LeaseLost]) => Renewed::Lost,
        _ => Renewed::Unknown,
    }
}

async fn admit_decoded(
    context: &Arc<WorkerContext>,
    deliveries: Vec<Delivery>,
    asked: Instant,
    permits: &mut OwnedSemaphorePermit,
) {
    if deliveries.is_empty() {
        return;
    }
    let (deliveries, asked) = still_held(context, deliveries, asked).await;
    // Read once: a batch of brief tasks is large.
    let now = Instant::now();
    let find = |delivery: Delivery| {
        let found = execute::find(context, &delivery);
        let lease_time = LeaseTime::new(asked, context.lease);
        Attempt::new(delivery, found, lease_time, now)
    };
    let attempts = context.held.insert(deliveries.into_iter().map(find));
    let alone = attempts.len() == 1;
    let mut ready = attempts.into_iter().map_while(|attempt| {
        let permit = permits.split(1)?;
        Some(Ready { attempt, permit })
    });
    if !alone {
        context.work.start(ready);
    } else if let Some(ready) = ready.next() {
        if ready.may_run_here()
            && !ready
                .attempt
                .runs_at_most_once(context.config.delivery_mode)
        {
            lane::run_here(context, ready).await;
        } else {
            context.work.start(std::iter::once(ready));
        }
    }
}

/// The deliveries whose leases can be relied on. If they took long to arrive, because this process was frozen or the
/// server slow, nobody here knows when their leases began, so they are renewed first.
async fn still_held(
    context: &WorkerContext,
    mut deliveries: Vec<Delivery>,
    asked: Instant,
) -> (Vec<Delivery>, Instant) {
    if asked.elapsed() < context.lease / 3 {
        return (deliveries, asked);
    }
    let leases: Vec<_> = deliveries.iter().map(|one| one.lease.clone()).collect();
    let asked = Instant::now();
    let answer = context.connected.broker.extend(&leases).await;
    // Without an answer, none may run; the leases expire.
    let mut answers = context.note(answer).unwrap_or_default().into_iter();
    deliveries.retain(|_| answers.next() == Some(Settled::Applied));
    (deliveries, asked)
}
