//! Duty: removes what workers that are gone have left behind.
//!
//! Must not be needed for any task to run.

use std::sync::Arc;
use std::time::Duration;

use crate::context::WorkerContext;

/// Removes stale workers and consumers until it is dropped.
pub(crate) async fn clean(context: Arc<WorkerContext>) {
    loop {
        tokio::time::sleep(context.config.cleanup_interval.max(Duration::from_secs(1))).await;
        let answer = context.connected.results.remove_stale_workers().await;
        let workers = context.note(answer).unwrap_or(0);
        let mut consumers = 0;
        for queue in &context.queues {
            let idle = context.config.stale_workers_timeout;
            let answer = context
                .connected
                .inspect
                .remove_stale_consumers(queue, idle)
                .await;
            consumers += context.note(answer).unwrap_or(0);
        }
        if workers + consumers > 0 {
            tracing::info!(workers, consumers, "removed stale workers and consumers");
        }
    }
}
