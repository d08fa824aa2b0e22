//! Duty: keeps up with the registry: prepares what is rolled out, switches to it, and reports both.
//!
//! Must not know what a rollout is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chicory_signature::with_causes;
use tokio::sync::mpsc;

use crate::context::WorkerContext;
use crate::duty::heartbeat::beat;
use crate::sandbox::Fleet;

/// Keeps up until it is dropped.
pub(crate) async fn follow(mut fleet: Fleet, context: Arc<WorkerContext>) {
    let _warming = fleet.warm_up();
    let mut wakes = watch(&fleet, &context).await;
    loop {
        fleet.wait(&mut wakes).await;
        if wakes.is_none() {
            wakes = watch(&fleet, &context).await;
        }
        match fleet.catch_up().await {
            Ok(changed) => {
                fleet.say_switched().await;
                fleet.end_expired().await;
                fleet.judge_canaries().await;
                if changed {
                    beat(&context, true).await;
                }
            }
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "the registry can't be read; trying again");
            }
        }
    }
}

/// Listens to the registry. Heartbeats say whether the registry knows.
async fn watch(fleet: &Fleet, context: &WorkerContext) -> Option<mpsc::Receiver<()>> {
    let wakes = fleet.watch().await;
    let listens = wakes.is_some() && fleet.is_present().await;
    if context.listens.swap(listens, Ordering::Relaxed) != listens {
        beat(context, true).await;
    }
    wakes
}
