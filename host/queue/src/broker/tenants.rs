//! The tenants of a store, and the views that they have of it.
//!
//! Must not know how messages are shared out.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chicory_signature::TenantName;

use super::Connected;
use crate::{BrokerError, Registry, Tenant};

/// The tenants of a store, and what each has in it.
#[async_trait]
pub trait Tenants: Debug + Send + Sync {
    /// The store as this tenant sees it: its own messages, results, dead letters and modules, under the same verbs. What is
    /// enqueued takes part in the queue's fair sharing. The default tenant sees what is nobody else's.
    ///
    /// Fetching and what follows on it stay with the whole store: a worker serves all tenants.
    fn view(&self, tenant: &TenantName) -> Connected;

    /// The modules of all tenants, under names with the tenant's in front: `acme/shop`. Those of the default tenant have theirs
    /// alone. For workers, which run what all tenants deploy.
    fn modules(&self) -> Arc<dyn Registry>;

    /// A tenant; none if it was not created. The default tenant is always there.
    async fn tenant(&self, name: &TenantName) -> Result<Option<Tenant>, BrokerError>;

    /// All tenants that were created, by name.
    async fn tenants(&self) -> Result<Vec<Tenant>, BrokerError>;

    /// Stores a tenant and applies its settings to all queues in which it has messages; `None` if its revision is not the
    /// stored one any more: then nothing was changed. Otherwise the new revision.
    async fn put_tenant(&self, tenant: &Tenant) -> Result<Option<u64>, BrokerError>;

    /// Removes a tenant's record, so that it can't enqueue any more, and then what is stored under its name: states and results
    /// of its tasks, and what is left of its queues. Its messages are removed before, by the verbs of its view. Returns the
    /// number of stored items that were removed.
    async fn remove_tenant(&self, name: &TenantName) -> Result<u64, BrokerError>;
}
