//! Duty: removes what dead workers have left behind: at its start, once the heartbeats of that time have expired, and
//! then from time to time.
//!
//! Must not be needed for any task to run.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::context::WorkerContext;

/// Queues checked at the same time: checking many queues must not hold up the server's other clients.
const AT_ONCE: usize = 16;

/// Removes stale workers and consumers until it is dropped.
pub(crate) async fn clean(context: Arc<WorkerContext>) {
    let usual = context.config.cleanup_interval.max(Duration::from_secs(1));
    let soon = usual.min(context.config.heartbeat_ttl + Duration::from_secs(1));
    clean_once(&context).await;
    tokio::time::sleep(soon).await;
    loop {
        let is_done = clean_once(&context).await;
        tokio::time::sleep(if is_done { usual } else { soon }).await;
    }
}

/// Returns whether nothing is left that can be removed soon.
async fn clean_once(context: &WorkerContext) -> bool {
    let answer = context.connected.results.remove_stale_workers().await;
    let workers = context.note(answer).unwrap_or(0);
    let answer = context.connected.results.workers().await;
    // If it is unknown who is alive, consumers are only removed for being idle.
    let alive: Option<HashSet<String>> = context.note(answer).map(|alive| {
        let alive = alive.into_iter().map(|worker| worker.worker_id);
        alive.chain([context.config.worker_id.clone()]).collect()
    });
    let mut cleaned = Vec::with_capacity(context.queues.len());
    for some in context.queues.chunks(AT_ONCE) {
        let looks = some
            .iter()
            .map(|queue| consumers(context, queue, alive.as_ref()));
        cleaned.extend(join_all(looks).await);
    }
    let consumers: u64 = cleaned.iter().map(|queue| queue.removed).sum();
    if workers + consumers > 0 {
        tracing::info!(workers, consumers, "removed stale workers and consumers");
    }
    cleaned.iter().all(|queue| !queue.is_held)
}

/// What was done about the consumers of a queue.
#[derive(Default)]
struct Cleaned {
    removed: u64,
    /// Whether a consumer whose worker is gone still holds something, which others will reclaim.
    is_held: bool,
}

/// Removes those consumers of a queue that hold nothing and whose workers are gone, or that have long been idle.
async fn consumers(
    context: &WorkerContext,
    queue: &str,
    alive: Option<&HashSet<String>>,
) -> Cleaned {
    let inspect = &context.connected.inspect;
    let Some(found) = context.note(inspect.consumers(queue).await) else {
        return Cleaned::default();
    };
    let is_gone = |name: &String| alive.is_some_and(|alive| !alive.contains(name));
    let is_idle = |idle| Duration::from_millis(idle) > context.config.stale_workers_timeout;
    let stale = found
        .into_iter()
        .filter(|one| is_gone(&one.name) || (one.pending == 0 && is_idle(one.idle_ms)));
    let (free, held): (Vec<_>, Vec<_>) = stale.partition(|one| one.pending == 0);
    let mut cleaned = Cleaned {
        removed: 0,
        is_held: !held.is_empty(),
    };
    if !free.is_empty() {
        let names: Vec<_> = free.into_iter().map(|one| one.name).collect();
        // The same step checks again whether they hold anything.
        let answer = inspect.remove_consumers(queue, &names).await;
        cleaned.removed = context.note(answer).unwrap_or(0);
    }
    cleaned
}
