//! Tenants: creating, changing, suspending and deleting them, and what each has.
//!
//! Must not know how messages are shared out.

use chicory_queue::{Connected, ModuleRecord, Tenant, TenantName, TenantSettings};
use serde::Serialize;

use crate::{Admin, AdminError, QueueRow};

/// A tenant with its part of each queue, and its modules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TenantDetail {
    /// What is stored of it.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Its part of each queue, by the queues' names.
    pub queues: Vec<QueueRow>,
    /// The names of its deployed modules.
    pub modules: Vec<String>,
}

/// What was removed with a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TenantRemoved {
    /// Its messages: ready, running and delayed ones.
    pub messages: u64,
    /// Its dead letters.
    pub dead_letters: u64,
    /// Its modules.
    pub modules: u64,
    /// Its states and results of tasks, and what else was stored for it.
    pub other: u64,
}

impl Admin {
    /// Creates a tenant.
    ///
    /// # Errors
    /// [`AdminError::TenantExists`] for a name that is taken, also for the default tenant's.
    pub async fn create_tenant(
        &self,
        name: &TenantName,
        settings: TenantSettings,
    ) -> Result<Tenant, AdminError> {
        let mut tenant = Tenant::new(name.clone(), self.clock.now());
        tenant.settings = settings;
        let taken = || AdminError::TenantExists {
            tenant: name.clone(),
        };
        if name.is_default() {
            return Err(taken());
        }
        let stored = self.connected.tenants.put_tenant(&tenant).await?;
        tenant.revision = stored.ok_or_else(taken)?;
        Ok(tenant)
    }

    /// All tenants, by name. The default tenant is among them once something was set for it.
    ///
    /// # Errors
    /// Where the broker can't be reached, or a record can't be read.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, AdminError> {
        Ok(self.connected.tenants.tenants().await?)
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`AdminError::NoTenant`] if it was not created.
    pub async fn tenant(&self, name: &TenantName) -> Result<Tenant, AdminError> {
        let found = self.connected.tenants.tenant(name).await?;
        match found {
            Some(found) => Ok(found),
            None if name.is_default() => Ok(Tenant::new(name.clone(), self.clock.now())),
            None => Err(AdminError::NoTenant {
                tenant: name.clone(),
                known: self.tenant_names().await?,
            }),
        }
    }

    async fn tenant_names(&self) -> Result<Vec<String>, AdminError> {
        let known = self.tenants().await?;
        Ok(known.iter().map(|tenant| tenant.name.to_string()).collect())
    }

    /// One tenant with what it has.
    ///
    /// # Errors
    /// As for [`Admin::tenant`].
    pub async fn tenant_detail(&self, name: &TenantName) -> Result<TenantDetail, AdminError> {
        let tenant = self.tenant(name).await?;
        let view = self.of(name);
        let mut modules = view.connected.registry.names().await?;
        modules.sort_unstable();
        Ok(TenantDetail {
            tenant,
            queues: view.queues().await?,
            modules,
        })
    }

    /// Changes what is set for a tenant. It holds for all workers at once.
    ///
    /// # Errors
    /// As for [`Admin::tenant`], or if a setting is out of its range.
    pub async fn set_tenant(
        &self,
        name: &TenantName,
        change: impl Fn(&mut TenantSettings),
    ) -> Result<Tenant, AdminError> {
        loop {
            let mut tenant = self.tenant(name).await?;
            change(&mut tenant.settings);
            // Of two who change it at once, one does it again.
            if let Some(revision) = self.connected.tenants.put_tenant(&tenant).await? {
                tenant.revision = revision;
                return Ok(tenant);
            }
        }
    }

    /// Removes a tenant with everything that it has: messages, dead letters, results, modules. It is suspended first. What
    /// runs is not interrupted, but its result is not kept.
    ///
    /// # Errors
    /// As for [`Admin::tenant`]. What was not removed is there for the next time.
    pub async fn delete_tenant(&self, name: &TenantName) -> Result<TenantRemoved, AdminError> {
        if name.is_default() {
            return Err(AdminError::DefaultTenant);
        }
        let suspend = |settings: &mut TenantSettings| {
            settings.suspended = Some("it is being deleted".to_owned());
        };
        self.set_tenant(name, suspend).await?;
        let view = self.of(name);
        let mut removed = TenantRemoved::default();
        for row in view.queues().await? {
            let inspect = &view.connected.inspect;
            removed.messages += inspect.purge(&row.queue).await?;
            removed.dead_letters += inspect.purge_dead_letters(&row.queue).await?;
        }
        removed.modules = remove_modules(&view).await?;
        removed.other = self.connected.tenants.remove_tenant(name).await?;
        Ok(removed)
    }

    /// The operators' view of what a tenant has.
    fn of(&self, tenant: &TenantName) -> Self {
        let connected: Connected = self.connected.tenants.view(tenant);
        Self::new(connected, self.clock.clone())
    }
}

/// Takes all modules of a view out of service, and removes their bytes where nobody else has the same.
async fn remove_modules(view: &Admin) -> Result<u64, AdminError> {
    let registry = &view.connected.registry;
    let mut removed = 0;
    for record in registry.changed(0).await?.records {
        if !record.is_deployed() {
            continue;
        }
        let empty = ModuleRecord {
            name: record.name.clone(),
            revision: record.revision,
            ..ModuleRecord::default()
        };
        let entry = chicory_queue::AuditEntry {
            at: view.clock.now(),
            by: String::new(),
            action: "delete".into(),
            module: record.name.clone(),
            digest: String::new(),
            detail: "its tenant was deleted".into(),
        };
        if registry.replace(&empty, &entry).await?.is_some() {
            removed += 1;
            for version in &record.versions {
                registry.delete_blob(&version.digest).await?;
            }
        }
    }
    Ok(removed)
}
