//! Promises about settlements: each kind, conditional on the lease, with its result.

use std::time::Duration;

use serde_json::json;

use super::fixture::{
    Fixture, PATIENCE, Settings, carried, fetch, give_up, ids, message, messages, settle, soon,
    success,
};
use crate::{
    Clock, RawJson, ReplayOptions, ResultRecord, SettleRequest, Settled, Settlement, TaskMessage,
    TaskState, Timestamp,
};

/// And nothing else.
pub async fn complete_removes_the_message(fixture: &Fixture) {
    let delivery = fixture.deliver(&message("m"), "one").await;
    let answer = fixture
        .settle(settle(&delivery, Settlement::Complete))
        .await;
    assert_eq!(answer, Settled::Applied);
    let stats = fixture.stats().await;
    let numbers = (stats.size, stats.pending, stats.delayed, stats.dead);
    assert_eq!(numbers, (0, 0, 0, 0));
}

/// Whatever the second settlement is.
pub async fn settling_twice_is_lease_lost(fixture: &Fixture) {
    for (number, second) in every_kind(fixture).into_iter().enumerate() {
        let delivery = fixture.deliver(&message(format!("m{number}")), "one").await;
        fixture
            .settle(settle(&delivery, Settlement::Complete))
            .await;
        let answer = fixture.settle(settle(&delivery, second.clone())).await;
        assert_eq!(answer, Settled::LeaseLost, "{second:?}");
    }
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.delayed, stats.dead), (0, 0, 0));
}

/// Ids are never assigned twice.
pub async fn a_late_settlement_hits_no_other_message(fixture: &Fixture) {
    let first = fixture.deliver(&message("first"), "one").await;
    let done = settle(&first, Settlement::Complete);
    fixture.settle(done.clone()).await;
    let purged = fixture.connected.inspect.purge(&fixture.queue).await;
    assert_eq!(purged.expect("purge"), 0);
    fixture.deliver(&message("second"), "one").await;
    assert_eq!(fixture.settle(done).await, Settled::LeaseLost);
    assert_eq!(fixture.stats().await.pending, 1);
}

fn every_kind(fixture: &Fixture) -> [Settlement; 4] {
    [
        Settlement::Complete,
        Settlement::Release,
        Settlement::DeadLetter {
            error: "Broken: it is".into(),
            failed_at: fixture.clock.now(),
        },
        Settlement::Retry {
            at: fixture.ahead(1),
            message: Box::new(message("again")),
        },
    ]
}

/// A lease belongs to one consumer, and to one entry of one queue.
pub async fn only_the_holder_settles(fixture: &Fixture) {
    let delivery = fixture.deliver(&message("m"), "one").await;
    let mut foreign = settle(&delivery, Settlement::Complete);
    foreign.lease.to_mut().consumer = "two".into();
    assert_eq!(fixture.settle(foreign).await, Settled::LeaseLost);
    let mut elsewhere = settle(&delivery, Settlement::Complete);
    elsewhere.lease.to_mut().queue = "elsewhere".into();
    assert_eq!(fixture.settle(elsewhere).await, Settled::LeaseLost);
    assert_eq!(fixture.stats().await.pending, 1);
}

/// Each item separately.
pub async fn a_batch_is_answered_in_order(fixture: &Fixture) {
    fixture.enqueue(&messages("m", 8)).await;
    let deliveries = fixture.fetch("one", 8).await;
    let mut kinds = every_kind(fixture).into_iter().cycle();
    let batch: Vec<SettleRequest<'_>> = deliveries
        .iter()
        .flat_map(|delivery| {
            let once = settle(delivery, kinds.next().expect("a cycle"));
            [once.clone(), once]
        })
        .collect();
    let answers = fixture.connected.broker.settle(&batch).await;
    let expected = [Settled::Applied, Settled::LeaseLost].repeat(8);
    assert_eq!(answers.expect("settle"), expected);
    let stats = fixture.stats().await;
    // Two of each kind: the retries carry the same message, and a broker may store it once.
    assert_eq!((stats.size, stats.pending, stats.dead), (2, 0, 2));
    assert!((1..=2).contains(&stats.delayed));
    let none = fixture.connected.broker.settle(&[]).await;
    assert!(none.expect("settle nothing").is_empty());
}

/// A result belongs to the holder of the lease.
pub async fn a_lost_settlement_writes_no_result(fixture: &Fixture) {
    let delivery = fixture.deliver(&message("m"), "one").await;
    fixture.settle(settle(&delivery, Settlement::Release)).await;
    let mut late = settle(&delivery, Settlement::Complete);
    late.record = Some(success("m"));
    assert_eq!(fixture.settle(late).await, Settled::LeaseLost);
    let results = &fixture.connected.results;
    assert_eq!(results.state("m").await.expect("state"), None);
    assert_eq!(results.result("m").await.expect("result"), None);
}

/// There is never a moment with neither.
pub async fn the_result_is_there_when_the_message_is_gone(fixture: &Fixture) {
    let reader = fixture.again(Settings::default()).await;
    for round in 0..20 {
        let id = format!("m{round}");
        let delivery = fixture.deliver(&message(&id), "one").await;
        let mut done = settle(&delivery, Settlement::Complete);
        done.record = Some(success(&id));
        let reading = async {
            loop {
                let stats = reader.inspect.stats(&fixture.queue).await.expect("stats");
                if stats.size == 0 {
                    return reader.results.result(&id).await.expect("result");
                }
            }
        };
        let (answer, result) = soon("the message is settled", async {
            tokio::join!(fixture.settle(done), reading)
        })
        .await;
        assert_eq!(answer, Settled::Applied);
        assert_eq!(result.and_then(|result| result.result), Some(json!(42)));
    }
}

/// One message, in one place or the other, and its state says so.
pub async fn a_retry_replaces_the_message(fixture: &Fixture) {
    let delivery = fixture.deliver(&message("m"), "one").await;
    let at = fixture.ahead(30);
    let next = charged(carried(&delivery), at);
    let mut retry = settle(
        &delivery,
        Settlement::Retry {
            at,
            message: Box::new(next.clone()),
        },
    );
    retry.record = Some(ResultRecord {
        tenant: crate::TenantName::default(),
        task_id: "m".into(),
        state: TaskState::Retry,
        body: None,
        reply_to: None,
    });
    assert_eq!(fixture.settle(retry).await, Settled::Applied);
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.pending, stats.delayed), (0, 0, 1));
    let results = &fixture.connected.results;
    let known = results.state("m").await.expect("state");
    assert_eq!(known, Some(TaskState::Retry));
    assert_eq!(results.result("m").await.expect("result"), None);

    assert_eq!(fixture.promote(10).await, (0, Some(at)));
    fixture.clock.advance(Duration::from_secs(30));
    assert_eq!(fixture.promote(10).await, (1, None));
    let again = fixture.fetch("two", 10).await;
    assert_eq!(again.len(), 1);
    assert_eq!(carried(&again[0]), &next);
    assert_eq!(again[0].task_id, "m");
    assert_eq!(again[0].deliveries, 1, "a retry is an entry of its own");
}

fn charged(message: &TaskMessage, at: Timestamp) -> TaskMessage {
    TaskMessage {
        retries: message.retries + 1,
        eta: Some(at),
        last_error: Some("Broken: it is".into()),
        ..message.clone()
    }
}

/// At the end of the queue, for any consumer.
pub async fn a_release_is_ready_at_once_without_a_charge(fixture: &Fixture) {
    fixture.enqueue(&messages("m", 3)).await;
    let first = fixture.fetch("one", 1).await;
    let answer = fixture.settle(settle(&first[0], Settlement::Release)).await;
    assert_eq!(answer, Settled::Applied);
    let got = fixture.fetch("two", 10).await;
    assert_eq!(ids(&got), ["m00001", "m00002", "m00000"]);
    assert_eq!(got[2].raw, first[0].raw);
    assert_eq!(got[2].deliveries, 1);
}

/// A draining worker gives its messages back to one that waits.
pub async fn a_release_wakes_a_blocked_fetch(fixture: &Fixture) {
    let other = fixture.again(Settings::default()).await;
    let queues = [fixture.queue.clone()];
    let delivery = fixture.deliver(&message("m"), "one").await;
    let releasing = async {
        for _ in 0..20 {
            fixture.stats().await;
        }
        fixture.settle(settle(&delivery, Settlement::Release)).await
    };
    let fetching = fetch(&other, &queues, "two", 5, PATIENCE * 2);
    let (answer, got) = soon("a blocked fetch is woken by a release", async {
        tokio::join!(releasing, fetching)
    })
    .await;
    assert_eq!(answer, Settled::Applied);
    assert_eq!(ids(&got), ["m"]);
}

/// From then on the message is the worker's alone: a crash would lose it.
pub async fn acknowledging_comes_before_and_only_once(fixture: &Fixture) {
    fixture.enqueue(&messages("m", 2)).await;
    let deliveries = fixture.fetch("one", 2).await;
    let leases = [deliveries[0].lease.clone(), deliveries[0].lease.clone()];
    let answers = fixture.connected.broker.acknowledge(&leases).await;
    assert_eq!(
        answers.expect("acknowledge"),
        [Settled::Applied, Settled::LeaseLost]
    );
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.pending), (1, 1));
    let taken = fixture.reclaimed("two", 10).await;
    assert_eq!(ids(&taken), ["m00001"]);
}

/// What has to be added is added, and the result is written.
pub async fn an_acknowledged_delivery_is_settled_without_a_lease(fixture: &Fixture) {
    fixture.enqueue(&messages("m", 4)).await;
    let mut deliveries = fixture.fetch("one", 4).await;
    let leases: Vec<_> = deliveries.iter().map(|one| one.lease.clone()).collect();
    let answers = fixture.connected.broker.acknowledge(&leases).await;
    assert_eq!(answers.expect("acknowledge"), [Settled::Applied; 4]);
    assert_eq!(fixture.stats().await.size, 0);

    for (delivery, kind) in deliveries.iter_mut().zip(every_kind(fixture)) {
        delivery.lease.acknowledged = true;
        let mut item = settle(delivery, kind);
        item.record = Some(success(&delivery.task_id));
        assert_eq!(fixture.settle(item).await, Settled::Applied);
        let state = fixture.connected.results.state(&delivery.task_id).await;
        assert_eq!(state.expect("state"), Some(TaskState::Success));
    }
    let stats = fixture.stats().await;
    let numbers = (stats.size, stats.pending, stats.delayed, stats.dead);
    assert_eq!(numbers, (1, 0, 1, 1));
}

/// Fields that a newer producer adds come back to it.
pub async fn unknown_fields_survive_retry_and_replay(fixture: &Fixture) {
    let mut sent = message("m");
    let trace = RawJson::parse(r#"{"span": [1e0, 12345678901234567890123]}"#).expect("it is JSON");
    sent.extra.push(("trace".into(), trace));
    sent = sent.kwarg("key", json!(null));
    let delivery = fixture.deliver(&sent, "one").await;
    assert_eq!(carried(&delivery), &sent);

    let at = fixture.ahead(1);
    let retry = Settlement::Retry {
        at,
        message: Box::new(charged(carried(&delivery), at)),
    };
    fixture.settle(settle(&delivery, retry)).await;
    fixture.clock.advance(Duration::from_secs(1));
    fixture.promote(1).await;
    let again = fixture.fetch("one", 1).await;
    assert_eq!(carried(&again[0]).extra, sent.extra);

    let failed_at = fixture.clock.now();
    fixture.settle(give_up(&again[0], failed_at)).await;
    let options = ReplayOptions {
        reset_retries: true,
    };
    let replayed = fixture
        .connected
        .inspect
        .replay(&fixture.queue, "m", options);
    assert!(replayed.await.expect("replay"));
    let last = fixture.fetch("one", 1).await;
    assert_eq!(carried(&last[0]), &sent);
}
