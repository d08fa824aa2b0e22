//! Emptying a queue, and telling those who wait for its tasks.
//!
//! Must not know how queues are kept.

use std::borrow::Cow;

use chicory_queue::{
    PURGED, ResultRecord, ScanCursor, ScanPart, TaskMessage, TaskResult, TaskState,
};

use crate::{Admin, AdminError};

/// A removed message whose end somebody waits for.
struct Awaited {
    task_id: String,
    reply_to: Option<String>,
}

impl Admin {
    /// Removes all ready, leased and delayed messages of a queue, and returns their number. Dead letters stay. Who waits
    /// for one of the tasks is told: it ends as a failure named `Purged`.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn purge(&self, queue: &str) -> Result<u64, AdminError> {
        let awaited = self.awaited(queue).await?;
        let removed = self.connected.inspect.purge(queue).await?;
        let error = format!("{PURGED}: queue {queue:?} was emptied before the task had ended");
        for Awaited { task_id, reply_to } in awaited {
            // A task that has ended meanwhile keeps its result.
            if self.connected.results.result(&task_id).await?.is_some() {
                continue;
            }
            let body = purged(&task_id, &error);
            let record = ResultRecord {
                tenant: self.connected.tenant.clone(),
                task_id: Cow::Owned(task_id),
                state: TaskState::Failure,
                body: Some(Cow::Owned(body)),
                reply_to: reply_to.map(Cow::Owned),
            };
            self.connected.results.store(&[record]).await?;
        }
        Ok(removed)
    }

    /// The messages that somebody waits for.
    async fn awaited(&self, queue: &str) -> Result<Vec<Awaited>, AdminError> {
        let mut awaited = Vec::new();
        let mut cursor = Some(ScanCursor::default());
        while let Some(next) = cursor {
            if !matches!(next.part, ScanPart::Stream | ScanPart::Delayed) {
                break;
            }
            let page = self.connected.inspect.scan(queue, next).await?;
            awaited.extend(self.awaited_of(page.messages).await?);
            cursor = page.next;
        }
        Ok(awaited)
    }

    async fn awaited_of(&self, messages: Vec<TaskMessage>) -> Result<Vec<Awaited>, AdminError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = messages.iter().map(|message| &*message.id).collect();
        let by_id = self.connected.results.awaited(&ids).await?;
        let awaited = messages.iter().zip(by_id).filter(|(message, by_id)| {
            message.reply_to.is_some() || (*by_id && !message.ignore_result)
        });
        let awaited = awaited.map(|(message, _)| Awaited {
            task_id: message.id.to_string(),
            reply_to: message.reply_to.clone(),
        });
        Ok(awaited.collect())
    }
}

/// The stored end of a task whose message was removed.
fn purged(task_id: &str, error: &str) -> String {
    let result = TaskResult {
        task_id: task_id.to_owned(),
        state: TaskState::Failure,
        result: None,
        error: Some(error.to_owned()),
        traceback: None,
        ignored: false,
        extra: serde_json::Map::new(),
    };
    serde_json::to_string(&result).unwrap_or_else(|error| unreachable!("texts only: {error}"))
}
