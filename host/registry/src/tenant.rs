//! A tenant's part of a registry: its own modules, under their own names.
//!
//! In the store, the name of a tenant's module has the tenant's in front: `acme/shop`. So all workers follow one list of changes,
//! and no name of one tenant can be taken for another's: a module's own name has no `/`. Bytes are shared, since they are asked
//! for by their digest.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chicory_signature::{TenantName, check_module_name, owner, qualified};
use tokio::sync::mpsc;

use crate::{
    AuditEntry, CanaryCounts, Changes, ModuleRecord, RecordFault, Registry, RegistryError,
    WorkerReport,
};

/// A registry of all tenants' modules as one tenant sees it: its own modules, under their own names.
pub fn modules_of(tenant: &TenantName, registry: Arc<dyn Registry>) -> Arc<dyn Registry> {
    Arc::new(TenantModules {
        tenant: tenant.clone(),
        registry,
    })
}

#[derive(Debug)]
struct TenantModules {
    tenant: TenantName,
    registry: Arc<dyn Registry>,
}

impl TenantModules {
    /// The module's own name, if it is the tenant's.
    fn own<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (tenant, own) = owner(name);
        (tenant == self.tenant).then_some(own)
    }

    /// A record that was looked for by its name in the store.
    fn found(
        &self,
        found: Result<Option<ModuleRecord>, RegistryError>,
    ) -> Result<Option<ModuleRecord>, RegistryError> {
        match found {
            Ok(found) => Ok(found.and_then(|record| self.own_record(record))),
            Err(RegistryError::Record(mut unreadable)) => {
                if let Some(own) = self.own(&unreadable.module).map(str::to_owned) {
                    unreadable.module = own;
                }
                Err(RegistryError::Record(unreadable))
            }
            Err(error) => Err(error),
        }
    }

    fn own_record(&self, mut record: ModuleRecord) -> Option<ModuleRecord> {
        record.name = self.own(&record.name)?.to_owned();
        Some(record)
    }
}

#[async_trait]
impl Registry for TenantModules {
    async fn put_blob(&self, digest: &str, bytes: Bytes) -> Result<(), RegistryError> {
        self.registry.put_blob(digest, bytes).await
    }

    async fn blob(&self, digest: &str) -> Result<Option<Bytes>, RegistryError> {
        self.registry.blob(digest).await
    }

    /// Bytes that another tenant's module has as well stay.
    async fn delete_blob(&self, digest: &str) -> Result<(), RegistryError> {
        let all = self.registry.changed(0).await?.records;
        let others = all.iter().filter(|record| self.own(&record.name).is_none());
        let is_named = |record: &ModuleRecord| {
            (record.versions.iter()).any(|version| version.digest == digest)
        };
        if others.into_iter().any(is_named) {
            return Ok(());
        }
        self.registry.delete_blob(digest).await
    }

    async fn names(&self) -> Result<Vec<String>, RegistryError> {
        let names = self.registry.names().await?;
        let own = names.iter().filter_map(|name| self.own(name));
        Ok(own.map(str::to_owned).collect())
    }

    async fn module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        let found = self.registry.module(&qualified(&self.tenant, name)).await;
        self.found(found)
    }

    async fn find_module(&self, name: &str) -> Result<Option<ModuleRecord>, RegistryError> {
        let name = qualified(&self.tenant, name);
        let found = self.registry.find_module(&name).await;
        self.found(found)
    }

    async fn changed(&self, since: u64) -> Result<Changes, RegistryError> {
        let mut changes = self.registry.changed(since).await?;
        let records = std::mem::take(&mut changes.records);
        let own = records
            .into_iter()
            .filter_map(|record| self.own_record(record));
        changes.records = own.collect();
        let unreadable = std::mem::take(&mut changes.unreadable);
        let own = unreadable.into_iter().filter_map(|mut record| {
            record.module = self.own(&record.module)?.to_owned();
            Some(record)
        });
        changes.unreadable = own.collect();
        Ok(changes)
    }

    async fn replace(
        &self,
        record: &ModuleRecord,
        entry: &AuditEntry,
    ) -> Result<Option<u64>, RegistryError> {
        // Its name must not lead to another tenant's module.
        check_module_name(&record.name).map_err(|error| RegistryError::RecordInvalid {
            module: record.name.clone(),
            source: RecordFault::Invalid {
                place: "name".into(),
                problem: error.to_string(),
            },
        })?;
        let (mut record, mut entry) = (record.clone(), entry.clone());
        record.name = qualified(&self.tenant, &record.name).into_owned();
        if !entry.module.is_empty() {
            entry.module = qualified(&self.tenant, &entry.module).into_owned();
        }
        self.registry.replace(&record, &entry).await
    }

    async fn report(&self, rollout: &str, report: &WorkerReport) -> Result<(), RegistryError> {
        self.registry.report(rollout, report).await
    }

    async fn reports(&self, rollout: &str) -> Result<Vec<WorkerReport>, RegistryError> {
        self.registry.reports(rollout).await
    }

    async fn count(
        &self,
        canary: &str,
        added: CanaryCounts,
    ) -> Result<CanaryCounts, RegistryError> {
        self.registry.count(canary, added).await
    }

    /// Lines about no module are the operator's, so the default tenant's.
    async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, RegistryError> {
        let entries = self.registry.audit(limit).await?;
        let own = entries.into_iter().filter_map(|mut entry| {
            entry.module = self.own(&entry.module)?.to_owned();
            Some(entry)
        });
        Ok(own.collect())
    }

    async fn note_policy(&self, policy: &str, entry: &AuditEntry) -> Result<bool, RegistryError> {
        self.registry.note_policy(policy, entry).await
    }

    async fn watch(&self) -> Result<mpsc::Receiver<()>, RegistryError> {
        self.registry.watch().await
    }

    async fn watch_as(&self, worker_id: &str) -> Result<mpsc::Receiver<()>, RegistryError> {
        self.registry.watch_as(worker_id).await
    }

    async fn present(&self, worker_ids: &[String]) -> Result<Option<Vec<bool>>, RegistryError> {
        self.registry.present(worker_ids).await
    }
}
