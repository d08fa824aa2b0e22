//! What operators can ask a broker: sizes, dead letters, consumers, purges.
//!
//! Must not be on a task's path.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::{BrokerError, StoreFacts, TaskMessage, Timestamp};

/// A queue in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Messages in the stream: ready and leased.
    pub size: u64,
    /// Messages that are leased.
    pub pending: u64,
    /// Messages that wait for their time.
    pub delayed: u64,
    /// Dead letters.
    pub dead: u64,
    /// Consumers known to the broker.
    pub consumers: u64,
    /// How long the oldest of the messages that can be fetched now has been ready, in milliseconds; `None` if there are
    /// no such messages, or if that is not known.
    pub oldest_ready_ms: Option<u64>,
}

impl QueueStats {
    /// Messages that can be fetched now.
    pub fn ready(&self) -> u64 {
        self.size.saturating_sub(self.pending)
    }
}

/// A message that was given up on. Fields are empty (or zero) if unknown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// The dead letter's own id in its queue.
    pub id: String,
    /// The message; `None` if its bytes are unreadable.
    pub original_message: Option<TaskMessage>,
    /// The stored bytes as text; invalid UTF-8 is replaced.
    pub data: String,
    /// ISO 8601.
    pub failed_at: String,
    /// `Name: message`.
    pub error: String,
    /// Number of retries.
    pub retry_count: u32,
    /// The id of its entry in the stream.
    pub original_stream_id: String,
    /// The message's id.
    pub task_id: String,
    /// The task's name.
    pub task_name: String,
}

/// Which dead letters to list.
#[derive(Debug, Clone)]
pub struct DeadLetterRange {
    /// Maximum number of dead letters.
    pub count: usize,
    /// Only those after this id (exclusive), in the order of the list.
    pub after: Option<String>,
    /// Whether the newest come first; otherwise the oldest do.
    pub newest_first: bool,
}

impl Default for DeadLetterRange {
    fn default() -> Self {
        Self {
            count: 100,
            after: None,
            newest_first: false,
        }
    }
}

/// How a dead letter is replayed.
#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions {
    /// Whether to reset the retry counter. This also clears `first_failure_at` and `last_error`.
    pub reset_retries: bool,
}

/// A consumer as the broker knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Deliveries it holds.
    pub pending: u64,
    /// Milliseconds since it last asked for anything.
    pub idle_ms: u64,
}

/// A message that waits for its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DelayedMessage {
    /// When it is due.
    pub due: Timestamp,
    /// The message; `None` if its bytes are unreadable.
    pub message: Option<TaskMessage>,
}

/// The progress of a scan of a queue's messages. A scan starts with the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanCursor {
    /// What is being read.
    pub part: ScanPart,
    /// Where to continue in that part, in the broker's own form; empty for the beginning.
    pub after: String,
    /// Where the first pass over the stream ended.
    pub tail: String,
}

/// The parts of a queue, in the order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanPart {
    /// Ready and leased messages.
    #[default]
    Stream,
    /// Delayed messages.
    Delayed,
    /// Dead letters.
    Dead,
    /// What has been added to the stream since: a message that was delayed or dead may be there now.
    Tail,
}

/// Some of a queue's messages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScanPage {
    /// The messages. May be empty although there are more.
    pub messages: Vec<TaskMessage>,
    /// How to continue; `None` at the end.
    pub next: Option<ScanCursor>,
}

impl ScanCursor {
    /// Continues in the same part.
    pub(crate) fn on(self, after: String) -> Self {
        Self { after, ..self }
    }

    /// Continues with the next part; `None` at the end.
    pub(crate) fn over(self) -> Option<Self> {
        let Self { part, after, tail } = self;
        let (part, after, tail) = match part {
            ScanPart::Stream => (ScanPart::Delayed, String::new(), after),
            ScanPart::Delayed => (ScanPart::Dead, String::new(), tail),
            ScanPart::Dead => (ScanPart::Tail, tail, String::new()),
            ScanPart::Tail => return None,
        };
        Some(Self { part, after, tail })
    }
}

/// The operators' side of a broker.
#[async_trait]
pub trait Inspect: Debug + Send + Sync {
    /// The names of all queues that hold something, as far as they were noted. A queue that another program has filled
    /// by hand is known once a worker serves it.
    async fn queues(&self) -> Result<Vec<String>, BrokerError>;
    /// The same, by looking at everything in the store, including other programs' data: slow. On Redis, queues that are
    /// found this way are noted.
    async fn find_queues(&self) -> Result<Vec<String>, BrokerError>;
    /// A queue in numbers; all zero if it doesn't exist.
    async fn stats(&self, queue: &str) -> Result<QueueStats, BrokerError>;
    /// Delayed messages, the next due first.
    async fn delayed(&self, queue: &str, count: usize) -> Result<Vec<DelayedMessage>, BrokerError>;
    /// Removes all ready, leased and delayed messages, in short steps; returns their number. What is added meanwhile
    /// may be removed or stay.
    async fn purge(&self, queue: &str) -> Result<u64, BrokerError>;
    /// A range of the dead letters.
    async fn dead_letters(
        &self,
        queue: &str,
        range: DeadLetterRange,
    ) -> Result<Vec<DeadLetter>, BrokerError>;
    /// One dead letter, by its own id or its task's (then the newest).
    async fn dead_letter(&self, queue: &str, id: &str) -> Result<Option<DeadLetter>, BrokerError>;
    /// Makes a dead letter ready again; false if there is none with this id.
    ///
    /// # Errors
    /// [`BrokerError::Invalid`] for a dead letter that can't be read; it stays.
    async fn replay(
        &self,
        queue: &str,
        id: &str,
        options: ReplayOptions,
    ) -> Result<bool, BrokerError>;
    /// Deletes a dead letter; false if there is none with this id.
    async fn delete_dead_letter(&self, queue: &str, id: &str) -> Result<bool, BrokerError>;
    /// Deletes all dead letters, in short steps; returns their number.
    async fn purge_dead_letters(&self, queue: &str) -> Result<u64, BrokerError>;
    /// All readable messages of a queue, page by page: ready, leased, delayed and dead ones. A message that
    /// moves once during the scan is not missed; a message may appear twice.
    async fn scan(&self, queue: &str, cursor: ScanCursor) -> Result<ScanPage, BrokerError>;
    /// The queue's consumers.
    async fn consumers(&self, queue: &str) -> Result<Vec<Consumer>, BrokerError>;
    /// Removes those of these consumers that hold nothing; returns their number.
    async fn remove_consumers(&self, queue: &str, names: &[String]) -> Result<u64, BrokerError>;
    /// What the store says about itself; for a Cluster, what each master says.
    async fn facts(&self) -> Result<Vec<StoreFacts>, BrokerError>;
    /// Removes consumers that have been idle for longer than this and hold nothing; returns their number.
    async fn remove_stale_consumers(&self, queue: &str, idle: Duration)
    -> Result<u64, BrokerError>;
}
