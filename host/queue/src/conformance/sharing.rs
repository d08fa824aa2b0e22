//! Promises about queues that tenants share: fair shares, wake-ups, limits.

use std::collections::HashMap;
use std::time::Duration;

use super::fixture::{Fixture, Settings, fetch, ids, message, messages, soon};
use super::several::{
    change, complete, count, create, drain, enqueue, name, numbers, set_weight, stored, suspend,
};
use crate::{BrokerError, Tenant, TenantName, Timestamp};

/// Fetches and completes at least this many messages, in batches; how many of them each tenant had.
async fn serve(fixture: &Fixture, messages: usize, batch: usize) -> HashMap<String, usize> {
    let mut served: HashMap<String, usize> = HashMap::new();
    while served.values().sum::<usize>() < messages {
        let deliveries = fixture.fetch("one", batch).await;
        assert!(!deliveries.is_empty());
        for (tenant, got) in count(&deliveries) {
            *served.entry(tenant).or_default() += got;
        }
        complete(fixture, &deliveries).await;
    }
    served
}

/// Within a twentieth, over a backlog of all.
pub async fn shares_are_in_proportion_to_weights(fixture: &Fixture) {
    let weights = [("a", 1), ("b", 2), ("c", 4), ("d", 1), ("e", 8)];
    for (tenant, weight) in weights {
        let view = create(fixture, tenant).await;
        set_weight(fixture, tenant, weight).await;
        enqueue(&view, fixture, &messages(tenant, 900)).await;
    }
    let served = serve(fixture, 1600, 64).await;
    let total: usize = served.values().sum();
    for (tenant, weight) in weights {
        let (got, fair) = (served[tenant], total * weight as usize / 16);
        assert!(
            got.abs_diff(fair) * 20 <= fair + 20 * 8,
            "{tenant} got {got} of {total}, where {fair} is fair"
        );
    }
}

/// Whoever has filled the queue, also where that is the default tenant.
pub async fn a_newcomer_does_not_wait_for_a_flood(fixture: &Fixture) {
    let (flood, small) = (
        create(fixture, "flood").await,
        create(fixture, "small").await,
    );
    enqueue(&flood, fixture, &messages("flood", 2000)).await;
    enqueue(&fixture.connected, fixture, &messages("own", 2000)).await;
    for _ in 0..4 {
        let deliveries = fixture.fetch("one", 8).await;
        complete(fixture, &deliveries).await;
    }
    enqueue(&small, fixture, &[message("small")]).await;
    let mut before = 0;
    loop {
        let deliveries = fixture.fetch("one", 8).await;
        let place = ids(&deliveries).iter().position(|id| *id == "small");
        complete(fixture, &deliveries).await;
        match place {
            Some(place) => {
                before += place;
                break;
            }
            None => before += deliveries.len(),
        }
        assert!(before < 100, "{before} others went before");
    }
    assert!(before <= 13, "{before} others went before");
}

/// With the weight that it has, or 1.
pub async fn the_default_tenant_takes_part(fixture: &Fixture) {
    let acme = create(fixture, "acme").await;
    enqueue(&acme, fixture, &messages("acme", 1500)).await;
    enqueue(&fixture.connected, fixture, &messages("own", 1500)).await;
    let mut shares = Vec::new();
    for weight in [1, 3] {
        if weight == 3 {
            let mut own = Tenant::new(TenantName::default(), Timestamp::now());
            own.settings.weight = weight;
            change(fixture, own).await;
        }
        let served = serve(fixture, 600, 32).await;
        shares.push(served["default"] * 100 / served.values().sum::<usize>());
    }
    assert!((40..=60).contains(&shares[0]), "{shares:?}");
    assert!((65..=85).contains(&shares[1]), "{shares:?}");
}

/// What it has stays, what it adds is refused with the reason, and others go on.
pub async fn a_suspended_tenant_is_held(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    enqueue(&acme, fixture, &messages("acme", 20)).await;
    enqueue(&other, fixture, &messages("other", 20)).await;
    suspend(fixture, "acme", Some("unpaid")).await;
    let refused = acme.broker.enqueue(&fixture.queue, &[message("m")]).await;
    assert!(
        matches!(&refused, Err(BrokerError::TenantSuspended { reason, .. }) if reason == "unpaid"),
        "{refused:?}"
    );
    // One message may have been admitted before.
    let mut served = Vec::new();
    for _ in 0..10 {
        let deliveries = fixture.fetch("one", 8).await;
        complete(fixture, &deliveries).await;
        served.extend(deliveries);
    }
    let counts = count(&served);
    assert_eq!(counts["other"], 20);
    let early = counts.get("acme").copied().unwrap_or_default();
    assert!(early <= 1, "{early} of a suspended tenant were started");
    assert_eq!(numbers(&acme, fixture).await, [20 - early as u64, 0, 0]);

    // A worker that waits is woken when it is resumed.
    let queues = [fixture.queue.clone()];
    let waiting = fetch(
        &fixture.connected,
        &queues,
        "one",
        8,
        Duration::from_secs(10),
    );
    let resumed = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        suspend(fixture, "acme", None).await;
    };
    let (deliveries, ()) = tokio::join!(soon("a resumed tenant wakes", waiting), resumed);
    assert!(!deliveries.is_empty());
    complete(fixture, &deliveries).await;
    drain(fixture).await;
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
}

/// Each tenant's own.
pub async fn a_tenants_queued_messages_are_limited(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    let mut limited = stored(fixture, "acme").await;
    limited.settings.max_queued = Some(5);
    change(fixture, limited).await;
    enqueue(&acme, fixture, &messages("a", 4)).await;
    enqueue(&other, fixture, &messages("o", 40)).await;
    let full = acme.broker.enqueue(&fixture.queue, &messages("b", 3)).await;
    assert!(
        matches!(&full, Err(BrokerError::TenantQueueFull { limit: 5, tenant, .. }) if *tenant == name("acme")),
        "{full:?}"
    );
    drain(fixture).await;
    enqueue(&acme, fixture, &messages("b", 3)).await;
    assert_eq!(numbers(&acme, fixture).await[0], 3);
}

/// By a producer in another process.
pub async fn a_blocked_fetch_is_woken_by_a_tenant(fixture: &Fixture) {
    create(fixture, "acme").await;
    let elsewhere = fixture.again(Settings::default()).await;
    let acme = elsewhere.tenants.view(&name("acme"));
    let queues = [fixture.queue.clone()];
    for round in 0..3 {
        let waiting = fetch(
            &fixture.connected,
            &queues,
            "one",
            8,
            Duration::from_secs(10),
        );
        let added = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            enqueue(&acme, fixture, &[message(format!("m{round}"))]).await;
        };
        let (deliveries, ()) = tokio::join!(soon("a fetch is woken", waiting), added);
        assert_eq!(ids(&deliveries), [format!("m{round}")]);
        complete(fixture, &deliveries).await;
    }
}

/// Whoever fetches, and whatever the tenants: each message is delivered once, and nothing is left.
pub async fn every_message_of_every_tenant_is_delivered_once(fixture: &Fixture) {
    let mut expected = Vec::new();
    for number in 0..30 {
        let tenant = format!("t{number}");
        let view = create(fixture, &tenant).await;
        let added = messages(&format!("{tenant}-"), 10 + number);
        expected.extend(added.iter().map(|message| message.id.to_string()));
        enqueue(&view, fixture, &added).await;
    }
    enqueue(&fixture.connected, fixture, &messages("own", 100)).await;
    expected.extend(
        messages("own", 100)
            .iter()
            .map(|message| message.id.to_string()),
    );
    let work = |consumer: &'static str| async move {
        let mut got = Vec::new();
        let mut idle = 0;
        while idle < 3 {
            let queues = [fixture.queue.clone()];
            let block = Duration::from_millis(100);
            let deliveries = fetch(&fixture.connected, &queues, consumer, 7, block).await;
            idle = if deliveries.is_empty() { idle + 1 } else { 0 };
            got.extend(
                deliveries
                    .iter()
                    .map(|delivery| delivery.task_id.to_string()),
            );
            complete(fixture, &deliveries).await;
        }
        got
    };
    let (one, two, three) = tokio::join!(work("one"), work("two"), work("three"));
    let mut got = [one, two, three].concat();
    got.sort_unstable();
    expected.sort_unstable();
    assert_eq!(got, expected);
}

/// Its messages may be what was admitted for others to be woken by, and it may be the next in turn.
pub async fn a_purge_of_one_tenant_holds_up_no_other(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    // The other has had more, so that acme is the next.
    enqueue(&other, fixture, &messages("before", 5)).await;
    assert_eq!(drain(fixture).await, 5);
    enqueue(&acme, fixture, &messages("a", 3)).await;
    enqueue(&other, fixture, &messages("o", 3)).await;
    assert_eq!(acme.inspect.purge(&fixture.queue).await.expect("purge"), 3);
    let elsewhere = fixture.again(Settings::default()).await;
    let queues = [fixture.queue.clone()];
    let block = Duration::from_secs(10);
    let woken = fetch(&elsewhere, &queues, "two", 1, block);
    let deliveries = soon("another worker has something to fetch", woken).await;
    assert_eq!(count(&deliveries).get("other"), Some(&1));
    complete(fixture, &deliveries).await;
    assert_eq!(drain(fixture).await, 2);
}

/// They are admitted a few at a time, and all of them are.
pub async fn large_messages_of_tenants_arrive(fixture: &Fixture) {
    let acme = create(fixture, "acme").await;
    let mut large = messages("large", 12);
    for message in &mut large {
        *message = message.clone().kwarg("text", "x".repeat(300 << 10));
    }
    enqueue(&acme, fixture, &large).await;
    assert_eq!(drain(fixture).await, 12);
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
}
