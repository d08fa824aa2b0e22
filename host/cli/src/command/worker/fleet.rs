//! Joins a worker to its fleet: loads what is deployed, and records its trust policy.
//!
//! Must not know how a worker keeps up.

use chicory_signature::with_causes;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chicory_queue::{AuditEntry, Connected, SystemClock, Timestamp};
use chicory_worker::{Admission, Catalog, Fleet, FleetConfig, Policy, WorkerConfig};

use crate::config::Config;

/// The worker's part in the fleet, with everything that is deployed now.
pub(super) async fn join(
    config: &Config,
    settings: &WorkerConfig,
    connected: &Connected,
    catalog: &Arc<Catalog>,
) -> Fleet {
    let cache = config.worker.cache_dir.as_ref();
    let mut fleet = Fleet::new(
        connected.tenants.modules(),
        Arc::clone(catalog),
        Arc::new(SystemClock),
        FleetConfig {
            worker_id: settings.worker_id.clone(),
            blobs: cache.map(|folder| folder.join("modules")),
            blob_bytes: config.worker.cache_size,
            admission: config.admission.clone(),
            code_bytes: config.worker.loaded_code,
        },
    );
    while let Err(error) = fleet.catch_up().await {
        tracing::warn!(error = %with_causes(&error), "can't read the registry; retrying until it answers");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    note_policy(config, settings, connected).await;
    fleet
}

/// A policy, of trust or of ceilings, that differs from the last one is recorded in the audit log.
async fn note_policy(config: &Config, settings: &WorkerConfig, connected: &Connected) {
    let Admission { trust, policy } = &config.admission;
    let mut described = trust.describe().to_owned();
    if *policy != Policy::default() {
        let _ = write!(described, "; {}", policy.describe());
    }
    let entry = AuditEntry {
        at: Timestamp::now(),
        by: settings.worker_id.clone(),
        action: "trust-policy".into(),
        module: String::new(),
        digest: String::new(),
        detail: described.clone(),
    };
    if let Err(error) = connected.registry.note_policy(&described, &entry).await {
        tracing::warn!(error = %with_causes(&error), "can't record the trust policy in the audit log");
    }
}
