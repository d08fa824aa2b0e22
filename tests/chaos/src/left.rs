//! What is left at the end: every result, every dead letter, and what should not be there.
//!
//! Must not know what is right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chicory_queue::{
    BrokerConfig, BrokerError, Connected, DeadLetterRange, ScanCursor, SystemClock, TaskState,
};

use crate::task::{QUEUES, Task};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// How tasks ended: whether with success, and the error.
    pub ends: HashMap<String, (bool, String)>,
    /// Dead letters, by the task's id.
    pub dead: HashMap<String, usize>,
    /// The ids of messages that are ready or leased.
    pub messages: Vec<String>,
    /// Leases.
    pub leases: u64,
    /// The ids of delayed messages.
    pub delayed: HashSet<String>,
    /// The names of consumers.
    pub consumers: Vec<String>,
    /// The ids of workers with a heartbeat.
    pub workers: Vec<String>,
}

/// How many dead letters are read at once.
const PAGE: usize = 500;

/// The messages that are ready, leased or delayed in all queues.
///
/// # Errors
/// The broker's.
pub async fn unfinished(url: &str) -> Result<u64, BrokerError> {
    let connected = connect(url).await?;
    let mut sum = 0;
    for queue in QUEUES {
        let stats = connected.inspect.stats(queue).await?;
        sum += stats.size + stats.delayed;
    }
    Ok(sum)
}

/// Looks at everything.
///
/// # Errors
/// The broker's.
pub async fn look(url: &str, tasks: &[Task]) -> Result<Left, BrokerError> {
    let connected = connect(url).await?;
    let mut left = Left::default();
    for task in tasks {
        if let Some(result) = connected.results.result(&task.id).await? {
            let end = (
                result.state == TaskState::Success,
                result.error.unwrap_or_default(),
            );
            left.ends.insert(task.id.clone(), end);
        }
    }
    for queue in QUEUES {
        let stats = connected.inspect.stats(queue).await?;
        if stats.size > 0 {
            let first = ScanCursor::default();
            let page = connected.inspect.scan(queue, first).await?;
            let ids = page.messages.iter().map(|one| one.id.to_string());
            left.messages.extend(ids);
        }
        left.leases += stats.pending;
        let count = usize::try_from(stats.delayed).unwrap_or(usize::MAX);
        for delayed in connected.inspect.delayed(queue, count).await? {
            let id = delayed.message.map(|message| message.id.to_string());
            left.delayed.insert(id.unwrap_or_default());
        }
        let consumers = connected.inspect.consumers(queue).await?;
        left.consumers
            .extend(consumers.into_iter().map(|consumer| consumer.name));
        count_dead(&connected, queue, &mut left).await?;
    }
    let workers = connected.results.workers().await?.into_iter();
    left.workers = workers.map(|worker| worker.worker_id).collect();
    Ok(left)
}

async fn count_dead(
    connected: &Connected,
    queue: &str,
    left: &mut Left,
) -> Result<(), BrokerError> {
    let mut after = None;
    loop {
        let range = DeadLetterRange {
            count: PAGE,
            after,
            newest_first: false,
        };
        let page = connected.inspect.dead_letters(queue, range).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        for letter in page {
            *left.dead.entry(letter.task_id).or_default() += 1;
        }
    }
}

async fn connect(url: &str) -> Result<Connected, BrokerError> {
    chicory_queue::connect(&BrokerConfig::of_url(url)?, Arc::new(SystemClock)).await
}
