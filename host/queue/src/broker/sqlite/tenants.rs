//! Tenants in the file: their records, and what follows on a change of one.
//!
//! Must not know how messages are shared out.

use std::sync::Arc;

use async_trait::async_trait;
use chicory_signature::TenantName;
use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::fault::Fault;
use super::{place, turns};
use crate::{BrokerError, Connected, Registry, Tenant, Tenants};

#[async_trait]
impl Tenants for Sqlite {
    fn view(&self, tenant: &TenantName) -> Connected {
        Arc::new(self.of(tenant)).connected()
    }

    fn modules(&self) -> Arc<dyn Registry> {
        Arc::new(self.of(&TenantName::default()))
    }

    async fn tenant(&self, name: &TenantName) -> Result<Option<Tenant>, BrokerError> {
        let wanted = name.clone();
        let record = self
            .reader
            .run(move |file| Ok(record(file, &wanted)?))
            .await?;
        record
            .map(|record| Tenant::read(name.as_str(), record.as_bytes()))
            .transpose()
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, BrokerError> {
        let records: Vec<(String, String)> = self
            .reader
            .run(|file| {
                let mut statement =
                    file.prepare_cached("SELECT name, record FROM tenants ORDER BY name")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await?;
        let read =
            |(name, record): &(String, String)| Tenant::read_or_warn(name, record.as_bytes());
        Ok(records.iter().filter_map(read).collect())
    }

    async fn put_tenant(&self, tenant: &Tenant) -> Result<Option<u64>, BrokerError> {
        let stored = Tenant {
            revision: tenant.revision + 1,
            ..tenant.clone()
        };
        let (revision, record) = (tenant.revision, stored.write()?);
        self.writer
            .write(&self.wakes, move |file, changes| {
                if !replace(file, &stored, revision, &record)? {
                    return Ok(None);
                }
                let held = stored.settings.suspended.is_some();
                turns::hold(file, &stored.name, held)?;
                changes.ready = !held;
                Ok(Some(stored.revision))
            })
            .await
    }

    async fn remove_tenant(&self, name: &TenantName) -> Result<u64, BrokerError> {
        let name = name.clone();
        self.writer
            .write(&self.wakes, move |file, _| {
                file.execute("DELETE FROM tenants WHERE name = ?1", [name.as_str()])?;
                let turns = file.execute("DELETE FROM turns WHERE tenant = ?1", [name.as_str()])?;
                let [first, last] = place::tasks_of(&name);
                let results = file.execute(
                    "DELETE FROM results WHERE task_id > ?1 AND task_id < ?2",
                    [first, last],
                )?;
                Ok((turns + results) as u64)
            })
            .await
    }
}

fn record(file: &Connection, name: &TenantName) -> rusqlite::Result<Option<String>> {
    file.prepare_cached("SELECT record FROM tenants WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()
}

/// Stores a record in place of the one with this revision; says whether that was still there.
fn replace(file: &Connection, tenant: &Tenant, revision: u64, record: &str) -> Result<bool, Fault> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let stored: Option<i64> = file
        .prepare_cached("SELECT revision FROM tenants WHERE name = ?1")?
        .query_row([tenant.name.as_str()], |row| row.get(0))
        .optional()?;
    if stored.unwrap_or(0) != number(revision) {
        return Ok(false);
    }
    let settings = &tenant.settings;
    file.prepare_cached(
        "INSERT INTO tenants (name, revision, record, weight, max_queued, held) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET revision = excluded.revision, record = excluded.record,
            weight = excluded.weight, max_queued = excluded.max_queued, held = excluded.held",
    )?
    .execute(params![
        tenant.name.as_str(),
        number(tenant.revision),
        record,
        settings.weight,
        settings.max_queued.map(number),
        settings.suspended.is_some(),
    ])?;
    Ok(true)
}

/// The tenant's limit of queued messages, if it has one.
///
/// # Errors
/// If the tenant may not enqueue at all.
pub(super) fn limit_of(file: &Connection, tenant: &TenantName) -> Result<Option<u64>, Fault> {
    let found: Option<(Option<i64>, bool)> = file
        .prepare_cached("SELECT max_queued, held FROM tenants WHERE name = ?1")?
        .query_row([tenant.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let limit = |most: Option<i64>| most.and_then(|most| u64::try_from(most).ok());
    match found {
        None if tenant.is_default() => Ok(None),
        Some((most, _)) if tenant.is_default() => Ok(limit(most)),
        Some((most, false)) => Ok(limit(most)),
        None => Err(BrokerError::UnknownTenant {
            tenant: tenant.clone(),
        }
        .into()),
        Some((_, true)) => {
            let record = record(file, tenant)?.unwrap_or_default();
            let record = Tenant::read(tenant.as_str(), record.as_bytes())?;
            Err(BrokerError::TenantSuspended {
                tenant: tenant.clone(),
                reason: record.settings.suspended.unwrap_or_default(),
            }
            .into())
        }
    }
}
