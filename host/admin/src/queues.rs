//! Queues in numbers, and emptying one.
//!
//! Must not know how queues are kept.

use chicory_queue::{Consumer, DelayedMessage, QueueStats};
use serde::Serialize;

use crate::{Admin, AdminError};

/// A queue in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueRow {
    /// Its name.
    pub queue: String,
    /// Messages that can be fetched now.
    pub ready: u64,
    /// All numbers.
    #[serde(flatten)]
    pub stats: QueueStats,
}

/// A queue with its consumers, and what is due next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueDetail {
    /// The numbers.
    #[serde(flatten)]
    pub row: QueueRow,
    /// Who fetches from it.
    pub consumer_list: Vec<Consumer>,
    /// Delayed messages, the next due first.
    pub delayed_list: Vec<DelayedMessage>,
}

impl Admin {
    /// All queues, by name.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn queues(&self) -> Result<Vec<QueueRow>, AdminError> {
        let queues = self.connected.inspect.queues().await?;
        self.rows(queues).await
    }

    /// The same, with queues that only other programs have used, which are noted as well. Looks at everything that the
    /// store has, so it may take long.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn find_queues(&self) -> Result<Vec<QueueRow>, AdminError> {
        let queues = self.connected.inspect.find_queues().await?;
        self.rows(queues).await
    }

    async fn rows(&self, mut queues: Vec<String>) -> Result<Vec<QueueRow>, AdminError> {
        queues.sort();
        let mut rows = Vec::with_capacity(queues.len());
        for queue in queues {
            rows.push(self.row(queue).await?);
        }
        Ok(rows)
    }

    /// One queue, with at most `delayed` of its delayed messages. A queue that does not exist has zeros.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn queue(&self, queue: &str, delayed: usize) -> Result<QueueDetail, AdminError> {
        let inspect = &self.connected.inspect;
        Ok(QueueDetail {
            consumer_list: inspect.consumers(queue).await?,
            delayed_list: inspect.delayed(queue, delayed).await?,
            row: self.row(queue.to_owned()).await?,
        })
    }

    async fn row(&self, queue: String) -> Result<QueueRow, AdminError> {
        let stats = self.connected.inspect.stats(&queue).await?;
        Ok(QueueRow {
            queue,
            ready: stats.ready(),
            stats,
        })
    }
}
