//! Dead letters: finding them, making them ready again, deleting them.
//!
//! Must not know how they are kept.

use chicory_queue::{BrokerError, DeadLetter, DeadLetterRange, ReplayOptions};
use serde::Serialize;

use crate::{Admin, AdminError};

/// What came of replaying all dead letters of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The number of those that are ready again.
    pub replayed: u64,
    /// Those that can't be replayed, and stay.
    pub kept: Vec<KeptLetter>,
}

/// A dead letter that can't be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptLetter {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

impl Admin {
    /// A range of a queue's dead letters.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn dead_letters(
        &self,
        queue: &str,
        range: DeadLetterRange,
    ) -> Result<Vec<DeadLetter>, AdminError> {
        Ok(self.connected.inspect.dead_letters(queue, range).await?)
    }

    /// One dead letter, by its own id or its task's.
    ///
    /// # Errors
    /// [`AdminError::NoDeadLetter`], or where the broker can't be reached.
    pub async fn dead_letter(&self, queue: &str, id: &str) -> Result<DeadLetter, AdminError> {
        let letter = self.connected.inspect.dead_letter(queue, id).await?;
        letter.ok_or_else(|| missing(queue, id))
    }

    /// The number of a queue's dead letters.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn count_dead_letters(&self, queue: &str) -> Result<u64, AdminError> {
        Ok(self.connected.inspect.stats(queue).await?.dead)
    }

    /// Makes a dead letter ready again, by its own id or its task's.
    ///
    /// # Errors
    /// [`AdminError::NoDeadLetter`]; [`BrokerError::Invalid`] where its message can't be read; or where the broker
    /// can't be reached.
    pub async fn replay(
        &self,
        queue: &str,
        id: &str,
        options: ReplayOptions,
    ) -> Result<(), AdminError> {
        if self.connected.inspect.replay(queue, id, options).await? {
            return Ok(());
        }
        Err(missing(queue, id))
    }

    /// Makes all dead letters ready again that are there now. One that can't be read stays, and does not keep the
    /// others from being replayed.
    ///
    /// # Errors
    /// Where the broker can't be reached; then some may have been replayed.
    pub async fn replay_all(
        &self,
        queue: &str,
        options: ReplayOptions,
    ) -> Result<Replayed, AdminError> {
        let mut outcome = Replayed::default();
        for id in self.dead_letter_ids(queue).await? {
            match self.connected.inspect.replay(queue, &id, options).await {
                Ok(true) => outcome.replayed += 1,
                // Somebody else was faster.
                Ok(false) => {}
                Err(BrokerError::Invalid(reason)) => outcome.kept.push(KeptLetter { id, reason }),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(outcome)
    }

    /// Deletes a dead letter, by its own id or its task's.
    ///
    /// # Errors
    /// [`AdminError::NoDeadLetter`], or where the broker can't be reached.
    pub async fn delete_dead_letter(&self, queue: &str, id: &str) -> Result<(), AdminError> {
        if self.connected.inspect.delete_dead_letter(queue, id).await? {
            return Ok(());
        }
        Err(missing(queue, id))
    }

    /// Deletes all dead letters of a queue, and returns their number.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn purge_dead_letters(&self, queue: &str) -> Result<u64, AdminError> {
        Ok(self.connected.inspect.purge_dead_letters(queue).await?)
    }

    /// The ids of all that are there now: a letter that is replayed and dies again is not replayed twice.
    async fn dead_letter_ids(&self, queue: &str) -> Result<Vec<String>, AdminError> {
        const PAGE: usize = 500;
        let mut ids: Vec<String> = Vec::new();
        loop {
            let range = DeadLetterRange {
                count: PAGE,
                after: ids.last().cloned(),
                newest_first: false,
            };
            let page = self.connected.inspect.dead_letters(queue, range).await?;
            let last = page.len() < PAGE;
            ids.extend(page.into_iter().map(|letter| letter.id));
            if last {
                return Ok(ids);
            }
        }
    }
}

fn missing(queue: &str, id: &str) -> AdminError {
    AdminError::NoDeadLetter {
        queue: queue.to_owned(),
        id: id.to_owned(),
    }
}
