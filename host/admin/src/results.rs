//! How a task ended, or waiting for that.
//!
//! Must not know who runs tasks.

use std::time::Duration;

use chicory_queue::{TaskResult, TaskState};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::{Admin, AdminError};

/// What is known of a task's end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Lookup {
    /// It has ended.
    Ended(TaskResult),
    /// It has not ended, or nothing is known of it any more.
    NotEnded(NotEnded),
}

/// A task that has not ended, or of which nothing is known any more.
#[derive(Debug, Clone, PartialEq)]
pub struct NotEnded {
    /// The message's id.
    pub task_id: String,
    /// Where it is; none where no state is kept, since it has not started, never was, or ended too long ago.
    pub state: Option<TaskState>,
}

/// As a result, so that readers find the same fields.
impl Serialize for NotEnded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("NotEnded", 4)?;
        fields.serialize_field("task_id", &self.task_id)?;
        fields.serialize_field("state", &self.state.unwrap_or(TaskState::Pending))?;
        fields.serialize_field("result", &())?;
        fields.serialize_field("error", &())?;
        fields.end()
    }
}

impl Admin {
    /// How a task ended, by its message's id.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn result(&self, id: &str) -> Result<Lookup, AdminError> {
        let found = self.connected.results.result(id).await?;
        self.lookup(id, found).await
    }

    /// Waits for a task's end; for as long as it takes without a timeout.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn wait_for_result(
        &self,
        id: &str,
        timeout: Option<Duration>,
    ) -> Result<Lookup, AdminError> {
        let found = self.connected.results.wait(id, timeout).await?;
        self.lookup(id, found).await
    }

    async fn lookup(&self, id: &str, found: Option<TaskResult>) -> Result<Lookup, AdminError> {
        if let Some(result) = found {
            return Ok(Lookup::Ended(result));
        }
        let state = self.connected.results.state(id).await?;
        Ok(Lookup::NotEnded(NotEnded {
            task_id: id.to_owned(),
            state,
        }))
    }
}
