//! Promises about tenants: what each has is its own.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Fixture, eventually, give_up, ids, message, messages, settle, success};
use super::several::{complete, count, create, enqueue, name, numbers, set_weight, stored};
use crate::{
    AuditEntry, BrokerError, Connected, DeadLetterRange, ModuleRecord, OnDuplicate, ReplayOptions,
    ScanCursor, Settled, Settlement, TaskMessage, Tenant, Timestamp,
};

/// From the producer to the result, which only the tenant sees.
pub async fn a_tenants_message_is_its_own(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    enqueue(&acme, fixture, &[message("m")]).await;
    assert_eq!(numbers(&acme, fixture).await, [1, 0, 0]);
    assert_eq!(numbers(&other, fixture).await, [0, 0, 0]);
    assert_eq!(fixture.stats().await.size, 0);

    let deliveries = fixture.fetch("one", 10).await;
    assert_eq!(ids(&deliveries), ["m"]);
    assert_eq!(deliveries[0].lease.tenant, name("acme"));
    assert_eq!(numbers(&acme, fixture).await, [1, 0, 0]);
    let mut done = settle(&deliveries[0], Settlement::Complete);
    done.record = Some(success("m"));
    if let Some(record) = &mut done.record {
        record.tenant = name("acme");
    }
    assert_eq!(fixture.settle(done).await, Settled::Applied);
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
    let result = |view: &Connected| {
        let results = Arc::clone(&view.results);
        async move {
            results
                .result("m")
                .await
                .expect("a look")
                .map(|found| found.result)
        }
    };
    assert_eq!(result(&acme).await, Some(Some(42.into())));
    assert_eq!(result(&other).await, None);
    assert_eq!(result(&fixture.connected).await, None);
}

/// With the same ids in the same queue.
pub async fn tenants_that_use_the_same_ids_are_told_apart(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    let noted = [TaskMessage::new("suite.task").with_id("same")];
    for view in [&acme, &other, &fixture.connected] {
        let broker = &view.broker;
        let added = broker
            .enqueue_noted(&fixture.queue, &noted, OnDuplicate::Reject)
            .await;
        assert!(added.is_ok(), "{added:?}");
        let again = broker
            .enqueue_noted(&fixture.queue, &noted, OnDuplicate::Reject)
            .await;
        assert!(
            matches!(again, Err(BrokerError::DuplicateId { .. })),
            "{again:?}"
        );
    }
    let deliveries = eventually("all three are delivered", || async {
        let mut deliveries = fixture.fetch("one", 10).await;
        while deliveries.len() < 3 {
            let more = fixture.fetch("one", 10).await;
            if more.is_empty() {
                break;
            }
            deliveries.extend(more);
        }
        Some(deliveries).filter(|found| found.len() == 3)
    })
    .await;
    assert_eq!(count(&deliveries).len(), 3);
    let now = Timestamp::now();
    for delivery in &deliveries {
        fixture.settle(give_up(delivery, now)).await;
    }
    for view in [&acme, &other, &fixture.connected] {
        let dead = view
            .inspect
            .dead_letters(&fixture.queue, DeadLetterRange::default());
        assert_eq!(dead.await.expect("a list").len(), 1);
    }
    let purged = acme.inspect.purge_dead_letters(&fixture.queue).await;
    assert_eq!(purged.expect("purge"), 1);
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
    assert_eq!(numbers(&other, fixture).await, [0, 0, 1]);
    assert_eq!(fixture.stats().await.dead, 1);
}

/// It gets an error that names it, and nothing is added.
pub async fn an_unknown_tenant_is_refused(fixture: &Fixture) {
    let nobody = fixture.connected.tenants.view(&name("nobody"));
    let refused = nobody.broker.enqueue(&fixture.queue, &[message("m")]).await;
    assert!(
        matches!(&refused, Err(BrokerError::UnknownTenant { tenant }) if *tenant == name("nobody")),
        "{refused:?}"
    );
    assert_eq!(fixture.fetch("one", 10).await.len(), 0);
    // Once created, it is known; once removed, it is not.
    create(fixture, "nobody").await;
    enqueue(&nobody, fixture, &[message("m")]).await;
    let removed = fixture
        .connected
        .tenants
        .remove_tenant(&name("nobody"))
        .await;
    removed.expect("remove");
    let refused = nobody.broker.enqueue(&fixture.queue, &[message("n")]).await;
    assert!(matches!(refused, Err(BrokerError::UnknownTenant { .. })));
}

/// A retry, a release and a reclaimed lease are still the tenant's.
pub async fn a_message_stays_with_its_tenant(fixture: &Fixture) {
    let acme = create(fixture, "acme").await;
    enqueue(&acme, fixture, &[message("m")]).await;
    let first = fixture.fetch("one", 1).await;
    let at = fixture.ahead(5);
    let retry = Settlement::Retry {
        at,
        message: Box::new(message("m")),
    };
    assert_eq!(
        fixture.settle(settle(&first[0], retry)).await,
        Settled::Applied
    );
    assert_eq!(numbers(&acme, fixture).await, [0, 1, 0]);
    let delayed = acme
        .inspect
        .delayed(&fixture.queue, 10)
        .await
        .expect("a list");
    assert_eq!(delayed.len(), 1);
    assert_eq!(fixture.promote(10).await, (0, Some(at)));
    fixture.clock.advance(Duration::from_secs(6));
    assert_eq!(fixture.promote(10).await, (1, None));

    let second = fixture.fetch("one", 1).await;
    assert_eq!(second[0].lease.tenant, name("acme"));
    fixture
        .settle(settle(&second[0], Settlement::Release))
        .await;
    assert_eq!(numbers(&acme, fixture).await, [1, 0, 0]);

    let third = fixture.fetch("one", 1).await;
    assert_eq!(third[0].lease.tenant, name("acme"));
    let reclaimed = fixture.reclaimed("two", 10).await;
    assert_eq!(reclaimed[0].lease.tenant, name("acme"));
    let late = fixture
        .settle(settle(&third[0], Settlement::Complete))
        .await;
    assert_eq!(late, Settled::LeaseLost);
    complete(fixture, &reclaimed).await;
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
}

/// It is found, replayed and run as the tenant's.
pub async fn a_dead_letter_stays_with_its_tenant(fixture: &Fixture) {
    let acme = create(fixture, "acme").await;
    enqueue(&acme, fixture, &[message("m")]).await;
    let deliveries = fixture.fetch("one", 1).await;
    fixture
        .settle(give_up(&deliveries[0], Timestamp::now()))
        .await;
    let own = fixture
        .connected
        .inspect
        .dead_letter(&fixture.queue, "m")
        .await;
    assert_eq!(own.expect("a look"), None);
    let options = ReplayOptions {
        reset_retries: true,
    };
    let replayed = acme.inspect.replay(&fixture.queue, "m", options).await;
    assert!(replayed.expect("replay"));
    let again = fixture.fetch("one", 1).await;
    assert_eq!(again[0].lease.tenant, name("acme"));
    complete(fixture, &again).await;
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
}

/// What is acknowledged before it runs counts no longer.
pub async fn an_acknowledged_message_of_a_tenant_is_gone(fixture: &Fixture) {
    let acme = create(fixture, "acme").await;
    enqueue(&acme, fixture, &[message("m")]).await;
    let deliveries = fixture.fetch("one", 1).await;
    let leases = [deliveries[0].lease.clone()];
    let answers = fixture.connected.broker.acknowledge(&leases).await;
    assert_eq!(answers.expect("acknowledge"), [Settled::Applied]);
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
}

/// Ready, leased and delayed ones.
pub async fn a_purge_takes_a_tenants_messages_only(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    for view in [&acme, &other] {
        enqueue(view, fixture, &messages("m", 10)).await;
        let mut later = message("later");
        later.eta = Some(fixture.ahead(60));
        enqueue(view, fixture, &[later]).await;
    }
    fixture.fetch("one", 6).await;
    let purged = acme.inspect.purge(&fixture.queue).await.expect("purge");
    assert_eq!(purged, 11);
    assert_eq!(numbers(&acme, fixture).await, [0, 0, 0]);
    assert_eq!(numbers(&other, fixture).await, [10, 1, 0]);
    let listed = |view: &Connected| {
        let inspect = Arc::clone(&view.inspect);
        async move { inspect.queues().await.expect("a list") }
    };
    assert_eq!(listed(&other).await, [fixture.queue.to_string()]);
    assert_eq!(listed(&acme).await, Vec::<String>::new());
}

/// Wherever they are.
pub async fn a_scan_meets_a_tenants_messages(fixture: &Fixture) {
    let (acme, other) = (
        create(fixture, "acme").await,
        create(fixture, "other").await,
    );
    enqueue(&acme, fixture, &messages("m", 1200)).await;
    enqueue(&other, fixture, &messages("o", 5)).await;
    fixture.fetch("one", 10).await;
    let mut met = std::collections::BTreeSet::new();
    let mut cursor = Some(ScanCursor::default());
    while let Some(at) = cursor {
        let page = acme.inspect.scan(&fixture.queue, at).await.expect("a page");
        met.extend(page.messages.iter().map(|message| message.id.to_string()));
        cursor = page.next;
    }
    let expected = messages("m", 1200);
    let expected = expected.iter().map(|message| message.id.to_string());
    assert_eq!(met, expected.collect());
}

/// And listed by name.
pub async fn of_two_who_change_a_tenant_one_wins(fixture: &Fixture) {
    create(fixture, "b").await;
    create(fixture, "a").await;
    let tenants = &fixture.connected.tenants;
    let known = stored(fixture, "a").await;
    set_weight(fixture, "a", 7).await;
    assert_eq!(tenants.put_tenant(&known).await.expect("an answer"), None);
    let new = Tenant::new(name("a"), Timestamp::now());
    assert_eq!(tenants.put_tenant(&new).await.expect("an answer"), None);
    let listed = tenants.tenants().await.expect("a list");
    let listed: Vec<_> = listed
        .iter()
        .map(|tenant| (tenant.name.as_str(), tenant.settings.weight))
        .collect();
    assert_eq!(listed, [("a", 7), ("b", 1)]);
    let mut broken = stored(fixture, "a").await;
    broken.settings.weight = 0;
    let refused = tenants.put_tenant(&broken).await;
    assert!(
        matches!(refused, Err(BrokerError::Invalid(_))),
        "{refused:?}"
    );
}

/// Modules of one name may be several tenants', and a worker finds each under its tenant.
pub async fn modules_belong_to_their_tenants(fixture: &Fixture) {
    let acme = create(fixture, "acme").await;
    let record = ModuleRecord {
        name: "shop".into(),
        ..ModuleRecord::default()
    };
    let entry = AuditEntry {
        at: Timestamp::now(),
        by: "ada".into(),
        action: "deploy".into(),
        module: "shop".into(),
        digest: String::new(),
        detail: String::new(),
    };
    for view in [&acme, &fixture.connected] {
        let stored = view.registry.replace(&record, &entry).await;
        assert!(stored.expect("replace").is_some());
        assert_eq!(view.registry.names().await.expect("a list"), ["shop"]);
        let found = view.registry.find_module("Shop").await.expect("a look");
        assert_eq!(found.map(|found| found.name), Some("shop".into()));
        assert_eq!(view.registry.audit(10).await.expect("a list").len(), 1);
    }
    let all = fixture.connected.tenants.modules();
    let mut names = all.names().await.expect("a list");
    names.sort_unstable();
    assert_eq!(names, ["acme/shop", "shop"]);
    let changes = acme.registry.changed(0).await.expect("changes");
    assert_eq!(changes.records.len(), 1);
    assert_eq!(changes.records[0].name, "shop");
}
