//! Duty: keeps up with the registry: prepares what is rolled out, switches to it, and says so.
//!
//! Must not know what a roll-out is.

use chicory_signature::with_causes;
use std::sync::Arc;

use crate::context::WorkerContext;
use crate::duty::heartbeat::beat;
use crate::sandbox::Fleet;

/// Keeps up until it is dropped.
pub(crate) async fn follow(mut fleet: Fleet, context: Arc<WorkerContext>) {
    let _warming = fleet.warm_up();
    let mut wakes = fleet.watch().await;
    loop {
        fleet.wait(&mut wakes).await;
        if wakes.is_none() {
            wakes = fleet.watch().await;
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
                tracing::debug!(error = %with_causes(&error), "the registry can't be read; tried again");
            }
        }
    }
}
