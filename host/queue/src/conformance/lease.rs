//! Promises about leases: held, extended, expired, taken over.

use std::collections::HashSet;
use std::time::Duration;

use super::fixture::{Fixture, Settings, eventually, ids, message, messages, settle};
use crate::{Settled, Settlement};

/// As long as its time is not over.
pub async fn a_held_lease_is_not_taken_over(fixture: &Fixture) {
    let fixture = fixture
        .set(Settings {
            lease: Duration::from_mins(1),
            ..Settings::default()
        })
        .await;
    fixture.deliver(&message("m"), "one").await;
    assert!(fixture.reclaim("two", 10).await.is_empty());
    assert_eq!(fixture.stats().await.pending, 1);
}

/// Who lost it can do nothing any more; who took it over can.
pub async fn an_expired_lease_is_taken_over(fixture: &Fixture) {
    let lost = fixture.deliver(&message("m"), "one").await;
    let taken = fixture.reclaimed("two", 10).await;
    assert_eq!(ids(&taken), ["m"]);
    assert_eq!(taken[0].payload, lost.payload);
    assert_eq!(taken[0].raw, lost.raw);
    assert_eq!(&*taken[0].lease.consumer, "two");

    assert_eq!(
        fixture.settle(settle(&lost, Settlement::Complete)).await,
        Settled::LeaseLost
    );
    let leases = std::slice::from_ref(&lost.lease);
    let broker = &fixture.connected.broker;
    assert_eq!(
        broker.extend(leases).await.expect("extend"),
        [Settled::LeaseLost]
    );
    assert_eq!(
        broker.acknowledge(leases).await.expect("acknowledge"),
        [Settled::LeaseLost]
    );
    assert_eq!(fixture.stats().await.size, 1);
    assert_eq!(
        fixture
            .settle(settle(&taken[0], Settlement::Complete))
            .await,
        Settled::Applied
    );
    assert_eq!(fixture.stats().await.size, 0);
}

/// So that a message that kills its workers is found out.
pub async fn deliveries_are_counted(fixture: &Fixture) {
    let first = fixture.deliver(&message("m"), "one").await;
    assert_eq!(first.deliveries, 1);
    for expected in 2..5 {
        let taken = fixture.reclaimed("two", 10).await;
        assert_eq!(taken[0].deliveries, expected);
    }
}

/// The rest stays for others.
pub async fn reclaim_takes_at_most_its_limit(fixture: &Fixture) {
    fixture.enqueue(&messages("m", 10)).await;
    assert_eq!(fixture.fetch("one", 10).await.len(), 10);
    let mut taken = HashSet::new();
    while taken.len() < 10 {
        let batch = fixture.reclaimed("two", 3).await;
        assert!(batch.len() <= 3, "{} for a limit of 3", batch.len());
        taken.extend(batch.into_iter().map(|delivery| delivery.task_id));
    }
    assert_eq!(fixture.stats().await.pending, 10);
}

/// While one message's lease is extended and another's is not, only the other is taken over.
pub async fn an_extended_lease_is_kept(fixture: &Fixture) {
    let fixture = &fixture
        .set(Settings {
            lease: Duration::from_secs(1),
            ..Settings::default()
        })
        .await;
    let kept = &fixture.deliver(&message("kept"), "one").await;
    fixture.deliver(&message("left"), "one").await;
    let broker = &fixture.connected.broker;
    let leases = std::slice::from_ref(&kept.lease);

    let taken = eventually("the other lease expires", || async {
        let answers = broker.extend(leases).await.expect("extend");
        assert_eq!(answers, [Settled::Applied]);
        Some(fixture.reclaim("two", 10).await).filter(|taken| !taken.is_empty())
    })
    .await;
    assert_eq!(ids(&taken), ["left"]);

    let answers = broker.extend(leases).await.expect("extend");
    assert_eq!(answers, [Settled::Applied]);
    eventually(
        "the lease expires once it is no longer extended",
        || async {
            let taken = fixture.reclaim("three", 10).await;
            ids(&taken).contains(&"kept").then_some(())
        },
    )
    .await;
    let answers = broker.extend(leases).await.expect("extend");
    assert_eq!(answers, [Settled::LeaseLost]);
}
