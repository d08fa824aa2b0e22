//! What operators do: look at queues, dead letters, workers and modules, deploy a module's new version, clean up.
//!
//! Works on the traits of a connected broker, and is shared by all faces of it: the program's commands today. Returns
//! data that can be serialised, and typed errors. Must not know arguments, HTTP or terminals, nor how a module is
//! compiled: an [`Inspector`] does.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use chicory_admin::Admin;
//! use chicory_queue::{BrokerConfig, SqliteConfig, SystemClock, TaskMessage, connect};
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("queue.db");
//! let config = BrokerConfig::Sqlite(SqliteConfig::new(file));
//! let connected = connect(&config, Arc::new(SystemClock)).await?;
//! connected.broker.enqueue("default", &[TaskMessage::new("demo.add")]).await?;
//!
//! let admin = Admin::new(connected, Arc::new(SystemClock));
//! let queues = admin.queues().await?;
//! assert_eq!((queues[0].queue.as_str(), queues[0].ready), ("default", 1));
//! # Ok(())
//! # }
//! ```

mod canary;
mod checkup;
mod cleanup;
mod dead;
mod deploy;
mod error;
mod modules;
mod purge;
mod queues;
mod results;
mod rollback;
mod tenants;
mod upload;
mod workers;

use std::fmt;
use std::sync::Arc;

use chicory_queue::{Clock, Connected};

pub use canary::CanaryEnd;
pub use checkup::{Finding, Severity};
pub use cleanup::Cleaned;
pub use dead::{KeptLetter, Replayed};
pub use deploy::{Deployed, RolloutOptions, Served};
pub use error::AdminError;
pub use modules::{Activated, ModuleDetail, ModuleRow, ModuleState};
pub use queues::{QueueDetail, QueueRow};
pub use results::{Lookup, NotEnded};
pub use rollback::RolledBack;
pub use tenants::{TenantDetail, TenantRemoved};
pub use upload::{Candidate, Cause, Inspector, Packed, Tasks, Upload, UploadError, prepare};
pub use workers::WorkerRow;

/// The operators' view of a broker. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    connected: Connected,
    clock: Arc<dyn Clock>,
}

impl Admin {
    /// On a connected broker.
    pub fn new(connected: Connected, clock: Arc<dyn Clock>) -> Self {
        Self { connected, clock }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("connected", &self.connected)
            .finish_non_exhaustive()
    }
}
