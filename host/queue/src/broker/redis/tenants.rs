//! Tenants on Redis: their records, and what they have of their own in a queue.
//!
//! A tenant's settings are copied to each queue that it has messages in, because a script can read no other key on a Cluster.
//! Who adds the first message of a tenant to a queue introduces it there; a change goes to all queues that were noted for it.
//! Must not know how messages are shared out.

use async_trait::async_trait;
use chicory_signature::TenantName;
use redis::{Cmd, Value, cmd};

use super::RedisBroker;
use super::connection::Connection;
use super::names;
use super::script::{PURGE_ADMITTED, REPLACE_TENANT, SET_TENANT, TENANT_STATS, TRIM_LIST};
use crate::{BrokerError, Connected, QueueStats, Registry, Tenant, TenantSettings, Tenants};
use std::sync::Arc;

/// Entries of the admitted stream that are looked at in one step.
const PAGE: usize = 500;

/// Elements of a list that are removed in one step.
const STEP: usize = 5000;

#[async_trait]
impl Tenants for RedisBroker {
    fn view(&self, tenant: &TenantName) -> Connected {
        self.of(tenant).connected()
    }

    fn modules(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry) as Arc<dyn Registry>
    }

    async fn tenant(&self, name: &TenantName) -> Result<Option<Tenant>, BrokerError> {
        let mut command = cmd("HGET");
        command.arg(self.root.tenants()).arg(name.as_str());
        let record: Option<Vec<u8>> = self.connection.ask(&command).await?;
        record
            .map(|record| Tenant::read(name.as_str(), &record))
            .transpose()
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, BrokerError> {
        let mut command = cmd("HGETALL");
        command.arg(self.root.tenants());
        let records: Vec<(String, Vec<u8>)> = self.connection.ask(&command).await?;
        let read = |(name, record): &(String, Vec<u8>)| Tenant::read_or_warn(name, record);
        let mut tenants: Vec<Tenant> = records.iter().filter_map(read).collect();
        tenants.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(tenants)
    }

    async fn put_tenant(&self, tenant: &Tenant) -> Result<Option<u64>, BrokerError> {
        let stored = Tenant {
            revision: tenant.revision + 1,
            ..tenant.clone()
        };
        let mut command = REPLACE_TENANT.command(&[&self.root.tenants()]);
        command
            .arg(tenant.name.as_str())
            .arg(tenant.revision)
            .arg(stored.write()?);
        let replaced: bool = self.connection.call(&REPLACE_TENANT, &command).await?;
        if !replaced {
            return Ok(None);
        }
        // After the record: who introduces the tenant to a queue notes the queue before, and reads the record after.
        for queue in names::all(&self.of(&tenant.name)).await? {
            apply(self, &tenant.name, &queue, &packed(&stored)).await?;
        }
        Ok(Some(stored.revision))
    }

    async fn remove_tenant(&self, name: &TenantName) -> Result<u64, BrokerError> {
        let mut command = cmd("HDEL");
        command.arg(self.root.tenants()).arg(name.as_str());
        self.connection.ask::<Value>(&command).await?;
        let view = self.of(name);
        for queue in names::all(&view).await? {
            apply(self, name, &queue, "").await?;
        }
        if name.is_default() {
            return Ok(0);
        }
        let own = remove_all(&self.connection, &view.keys.everything()).await?;
        Ok(own + view.results.remove_all().await?)
    }
}

/// Removes all keys that match a pattern; returns their number.
pub(super) async fn remove_all(connection: &Connection, pattern: &str) -> Result<u64, BrokerError> {
    let mut removed = 0;
    for key in connection.scan(pattern).await? {
        removed += connection.ask::<u64>(cmd("UNLINK").arg(key)).await?;
    }
    Ok(removed)
}

/// A tenant's settings as `fair.lua` reads them.
fn packed(tenant: &Tenant) -> String {
    let Tenant {
        revision, settings, ..
    } = tenant;
    let TenantSettings {
        weight,
        max_queued,
        suspended,
    } = settings;
    let most = max_queued.map(|most| most.to_string()).unwrap_or_default();
    format!(
        "{revision} {weight} {most} {}",
        u8::from(suspended.is_some())
    )
}

/// Applies settings to a queue, unless it has newer ones.
async fn apply(
    broker: &RedisBroker,
    tenant: &TenantName,
    queue: &str,
    packed: &str,
) -> Result<(), BrokerError> {
    let mut command = SET_TENANT.command(&[&broker.root.limits(queue)]);
    let (prefix, tag) = broker.root.parts(queue);
    command
        .arg(prefix)
        .arg(tag)
        .arg(&broker.group)
        .arg(tenant.as_str())
        .arg(packed);
    broker.connection.call(&SET_TENANT, &command).await
}

/// Makes the tenant of a view known to a queue.
pub(super) async fn introduce(broker: &RedisBroker, queue: &str) -> Result<(), BrokerError> {
    names::try_note(broker, &[queue]).await?;
    let tenant = broker.tenant(&broker.tenant).await?;
    let tenant = tenant.ok_or_else(|| BrokerError::UnknownTenant {
        tenant: broker.tenant.clone(),
    })?;
    apply(broker, &tenant.name, queue, &packed(&tenant)).await
}

/// Why the tenant of a view can't enqueue.
pub(super) async fn suspended(broker: &RedisBroker) -> Result<BrokerError, BrokerError> {
    let tenant = broker.tenant.clone();
    let reason = (broker.tenant(&tenant).await?).and_then(|tenant| tenant.settings.suspended);
    Ok(BrokerError::TenantSuspended {
        tenant,
        reason: reason.unwrap_or_default(),
    })
}

/// Adds what `add_waiting.lua` asks for behind a script's own arguments: for views of tenants.
pub(super) fn add_place(command: &mut Cmd, broker: &RedisBroker, queue: &str) {
    if let Some(tenant) = broker.tenant.given() {
        let (prefix, tag) = broker.root.parts(queue);
        command.arg(prefix).arg(tag).arg(&broker.group).arg(tenant);
    }
}

/// A tenant's part of a queue in numbers. The consumers are the fleet's.
pub(super) async fn stats(broker: &RedisBroker, queue: &str) -> Result<QueueStats, BrokerError> {
    let [waiting, delayed, dead] = broker.keys.of_tenants_queue(queue);
    let slots = broker.root.slots(queue);
    let mut command = TENANT_STATS.command(&[&waiting, &delayed, &dead, &slots]);
    command.arg(broker.tenant.as_str());
    let (size, pending, delayed, dead) = broker.connection.call(&TENANT_STATS, &command).await?;
    Ok(QueueStats {
        size,
        pending,
        delayed,
        dead,
        ..QueueStats::default()
    })
}

/// Removes a tenant's messages that wait, are admitted or leased; returns their number.
pub(super) async fn purge_ready(broker: &RedisBroker, queue: &str) -> Result<u64, BrokerError> {
    let mut removed = 0;
    let waiting = broker.keys.waiting(queue);
    let mut left: usize = broker.connection.ask(cmd("LLEN").arg(&waiting)).await?;
    while left > 0 {
        let mut command = TRIM_LIST.command(&[&waiting]);
        command.arg(left.min(STEP));
        let step: usize = broker.connection.call(&TRIM_LIST, &command).await?;
        removed += step as u64;
        left = if step == 0 { 0 } else { left - step };
    }
    let (admitted, slots) = (broker.root.admitted(queue), broker.root.slots(queue));
    let (prefix, tag) = broker.root.parts(queue);
    let mut from = "-".to_owned();
    loop {
        let mut command = PURGE_ADMITTED.command(&[&admitted, &slots]);
        command
            .arg(&broker.group)
            .arg(broker.tenant.as_str())
            .arg(&from)
            .arg(PAGE)
            .arg(prefix)
            .arg(&tag);
        let (step, last): (u64, String) = broker.connection.call(&PURGE_ADMITTED, &command).await?;
        removed += step;
        if last.is_empty() {
            return Ok(removed);
        }
        from = format!("({last}");
    }
}

/// Removes what has nothing to be about any more.
pub(super) async fn remove_empty(
    broker: &RedisBroker,
    queue: &str,
    index: &str,
) -> Result<(), BrokerError> {
    let dead: u64 = (broker.connection)
        .ask(cmd("XLEN").arg(broker.keys.dlq(queue)))
        .await?;
    if dead == 0 {
        let mut command = cmd("DEL");
        command.arg(broker.keys.dlq(queue)).arg(index);
        broker.connection.ask::<Value>(&command).await?;
    }
    Ok(())
}
