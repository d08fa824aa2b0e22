//! The workers that are alive, and how far each lags behind what is deployed.
//!
//! Must not know how heartbeats are kept.

use chicory_queue::{ModuleRecord, WorkerInfo};
use serde::Serialize;

use crate::{Admin, AdminError};

/// A worker that is alive.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerRow {
    /// Its heartbeat.
    #[serde(flatten)]
    pub info: WorkerInfo,
    /// The deployed modules that it serves in another version than it should, or not at all. Empty for a worker that
    /// takes no part in a fleet.
    pub lags: Vec<String>,
}

impl WorkerRow {
    fn new(info: WorkerInfo, deployed: &[ModuleRecord]) -> Self {
        let lags = match info.versions() {
            Some(versions) => {
                let behind = deployed.iter().filter(|record| {
                    let served = versions
                        .get(&record.name)
                        .and_then(|digest| digest.as_str());
                    record.active.is_some() && served != record.serving()
                });
                behind.map(|record| record.name.clone()).collect()
            }
            None => Vec::new(),
        };
        Self { info, lags }
    }
}

impl Admin {
    /// The workers whose heartbeat lasts, by their ids.
    ///
    /// # Errors
    /// Where the broker can't be reached.
    pub async fn workers(&self) -> Result<Vec<WorkerRow>, AdminError> {
        let mut workers = self.connected.results.workers().await?;
        workers.sort_by(|a, b| a.worker_id.cmp(&b.worker_id));
        let deployed = self.connected.registry.changed(0).await?.records;
        let rows = workers
            .into_iter()
            .map(|info| WorkerRow::new(info, &deployed));
        Ok(rows.collect())
    }
}
