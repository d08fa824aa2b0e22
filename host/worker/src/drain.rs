//! What happens to tasks that are still running when the worker stops.
//!
//! In this order: no new deliveries; running tasks get `shutdown_timeout`; those still running are dropped; outcomes
//! are settled; the rest is released, without counting a retry.

use std::time::Duration;

use chicory_queue::Settled;
use chicory_signature::with_causes;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::attempt::Concluded;
use crate::context::WorkerContext;
use crate::duty::heartbeat::beat;
use crate::execute::interrupt;
use crate::stop::{Phase, Stop};

/// What was left when the worker stopped.
pub(crate) struct Left {
    /// Tasks that were given back unfinished.
    pub(crate) released: usize,
    /// Tasks, finished or not, whose outcome or release the broker did not accept.
    pub(crate) unsettled: usize,
}

/// Waits until no task is running, the timeout is over, or an immediate stop is requested.
pub(crate) async fn drained(
    context: &WorkerContext,
    fetching: &mut JoinHandle<()>,
    stop: &Stop,
    timeout: Duration,
) {
    let draining = async {
        // The fetch returns what it was just given, and that is started, because it has its permits.
        let _ = fetching.await;
        context.decoding.finish().await;
        let beating = async {
            beat(context, false).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = context.held.empty() => {}
            () = beating => {}
        }
    };
    tokio::select! {
        () = draining => {}
        () = tokio::time::sleep(timeout) => {}
        () = stop.reached(Phase::Now) => {}
    }
}

/// Settles what is still held as interrupted.
pub(crate) async fn release_rest(context: &WorkerContext, end: Instant) -> Left {
    let rest = context.held.take_all().into_iter();
    let rest: Vec<Concluded> = rest.map(|attempt| interrupt(context, attempt)).collect();
    let undecoded = context.decoding.len();
    if undecoded > 0 {
        tracing::warn!(
            messages = undecoded,
            "could not decode messages in time; their leases expire, and they run elsewhere"
        );
    }
    if rest.is_empty() {
        return Left {
            released: 0,
            unsettled: undecoded,
        };
    }
    let batch: Vec<_> = rest.iter().map(Concluded::request).collect();
    let answer = match timeout_at(end, context.connected.broker.settle(&batch)).await {
        Ok(Ok(answers)) => Ok(answers),
        Ok(Err(error)) => Err(with_causes(&error)),
        Err(_) => Err("the broker does not answer".to_owned()),
    };
    match answer {
        Ok(answers) => {
            let released = answers.iter().filter(|answer| **answer == Settled::Applied);
            let released = released.count();
            tracing::info!(released, "released the tasks that were running");
            Left {
                released,
                unsettled: undecoded,
            }
        }
        Err(error) => {
            let unsettled = rest.len();
            tracing::warn!(%error, tasks = unsettled, "could not settle or release tasks; their leases expire, and they run again");
            Left {
                released: 0,
                unsettled: unsettled + undecoded,
            }
        }
    }
}
