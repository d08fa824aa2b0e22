//! What promises about several tenants have in common.
//!
//! Must not promise anything.

use std::collections::HashMap;

use super::fixture::{Fixture, settle};
use crate::{Connected, Delivery, Settled, Settlement, TaskMessage, Tenant, TenantName, Timestamp};

pub(super) fn name(tenant: &str) -> TenantName {
    tenant.parse().expect("a tenant's name")
}

/// Creates a tenant; returns its view of the store.
pub(super) async fn create(fixture: &Fixture, tenant: &str) -> Connected {
    let new = Tenant::new(name(tenant), Timestamp::now());
    change(fixture, new).await;
    fixture.connected.tenants.view(&name(tenant))
}

pub(super) async fn change(fixture: &Fixture, tenant: Tenant) {
    let stored = fixture.connected.tenants.put_tenant(&tenant).await;
    assert_eq!(
        stored.expect("a tenant is stored"),
        Some(tenant.revision + 1)
    );
}

pub(super) async fn stored(fixture: &Fixture, tenant: &str) -> Tenant {
    let found = fixture.connected.tenants.tenant(&name(tenant)).await;
    found.expect("the tenant is read").expect("it is there")
}

pub(super) async fn set_weight(fixture: &Fixture, tenant: &str, weight: u32) {
    let mut tenant = stored(fixture, tenant).await;
    tenant.settings.weight = weight;
    change(fixture, tenant).await;
}

pub(super) async fn suspend(fixture: &Fixture, tenant: &str, reason: Option<&str>) {
    let mut tenant = stored(fixture, tenant).await;
    tenant.settings.suspended = reason.map(str::to_owned);
    change(fixture, tenant).await;
}

pub(super) async fn enqueue(view: &Connected, fixture: &Fixture, messages: &[TaskMessage]) {
    let added = view.broker.enqueue(&fixture.queue, messages).await;
    added.expect("enqueue");
}

pub(super) async fn complete(fixture: &Fixture, deliveries: &[Delivery]) {
    let batch: Vec<_> = deliveries
        .iter()
        .map(|delivery| settle(delivery, Settlement::Complete))
        .collect();
    let answers = fixture.connected.broker.settle(&batch).await;
    let answers = answers.expect("settle");
    assert!(answers.iter().all(|answer| *answer == Settled::Applied));
}

/// How many of these are each tenant's.
pub(super) fn count(deliveries: &[Delivery]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for delivery in deliveries {
        *counts.entry(delivery.lease.tenant.to_string()).or_default() += 1;
    }
    counts
}

/// A view's messages that wait, run, are delayed and dead.
pub(super) async fn numbers(view: &Connected, fixture: &Fixture) -> [u64; 3] {
    let stats = view.inspect.stats(&fixture.queue).await.expect("stats");
    [stats.size, stats.delayed, stats.dead]
}

/// Completes all that can be fetched; returns the number.
pub(super) async fn drain(fixture: &Fixture) -> usize {
    let mut drained = 0;
    loop {
        let deliveries = fixture.fetch("one", 50).await;
        if deliveries.is_empty() {
            return drained;
        }
        drained += deliveries.len();
        complete(fixture, &deliveries).await;
    }
}
