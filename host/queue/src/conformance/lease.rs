//! Promises about leases: held, extended, expired, reclaimed.

use std::collections::HashSet;
use std::time::Duration;

use super::fixture::{
    Fixture, Settings, eventually, ids, message, messages, sent, settle, success,
};
use crate::{Delivery, SettleRequest, Settled, Settlement};

/// As long as its time is not up.
pub async fn a_held_lease_is_not_taken_over(fixture: &Fixture) {
    let fixture = fixture.set(lasting()).await;
    fixture.deliver(&message("m"), "one").await;
    assert!(fixture.reclaim("two", 10).await.is_empty());
    assert_eq!(fixture.stats().await.pending, 1);
}

/// The consumer that lost it can do nothing more; the one that took it over can.
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

/// So a message that kills its workers is detected.
pub async fn deliveries_are_counted(fixture: &Fixture) {
    let first = fixture.deliver(&message("m"), "one").await;
    assert_eq!(first.deliveries, 1);
    for expected in 2..5 {
        let taken = fixture.reclaimed("two", 10).await;
        assert_eq!(taken[0].deliveries, expected);
    }
}

/// The rest is left for others.
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

/// While one message's lease is extended and another's is not, only the other is reclaimed.
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

/// Whatever a broker remembers about leases: a result that arrives after another consumer took over its delivery is not
/// written, however many settlements went well before.
pub async fn a_result_after_a_reclaim_is_lost(fixture: &Fixture) {
    warm_up(fixture).await;
    fixture.enqueue(&messages("m", 3)).await;
    let lost = fixture.fetch("one", 3).await;
    let mut taken = Vec::new();
    while taken.len() < 3 {
        taken.extend(fixture.reclaimed("two", 3).await);
    }
    let broker = &fixture.connected.broker;
    let answers = broker.settle(&results(&lost)).await.expect("settle");
    assert_eq!(answers, [Settled::LeaseLost; 3]);
    for delivery in &lost {
        let state = fixture.connected.results.state(&delivery.task_id).await;
        assert_eq!(state.expect("state"), None);
    }
    let answers = broker.settle(&results(&taken)).await.expect("settle");
    assert_eq!(answers, [Settled::Applied; 3]);
    assert_eq!(fixture.stats().await.size, 0);
    warm_up(fixture).await;
}

/// Whichever of a batch were settled before, and whichever appear twice in it.
pub async fn results_are_answered_one_by_one(fixture: &Fixture) {
    warm_up(fixture).await;
    fixture.enqueue(&messages("m", 4)).await;
    let mut batch = results(&fixture.fetch("one", 4).await);
    let broker = &fixture.connected.broker;
    let first = broker.settle(&batch[1..2]).await.expect("settle");
    assert_eq!(first, [Settled::Applied]);
    let deleted = fixture.connected.results.delete(&batch[1].task_id).await;
    assert!(deleted.expect("delete"));
    batch.push(batch[2].clone());
    let mut again = settle(
        &fixture.deliver(&message("other"), "one").await,
        Settlement::Release,
    );
    again.lease = batch[3].lease.clone();
    batch.push(again);

    let answers = broker.settle(&batch).await.expect("settle");
    let (applied, lost) = (Settled::Applied, Settled::LeaseLost);
    assert_eq!(answers, [applied, lost, applied, applied, lost, lost]);
    let state = fixture.connected.results.state(&batch[1].task_id).await;
    assert_eq!(state.expect("state"), None);
    let left = fixture.stats().await;
    assert_eq!((left.size, left.pending), (1, 1));
}

/// In whatever order results arrive, from readers who took turns: exactly their messages leave the queue.
pub async fn results_take_their_own_messages_along(fixture: &Fixture) {
    let fixture = &fixture.set(lasting()).await;
    let other = &fixture.set(lasting()).await;
    for step in [1, 3, 7, 59] {
        warm_up(fixture).await;
        warm_up(other).await;
        fixture.enqueue(&messages("m", 200)).await;
        let mut mine = fixture.fetch("one", 60).await;
        let others = other.fetch("two", 40).await;
        mine.extend(fixture.fetch("one", 70).await);
        let left = [mine.remove(100), mine.remove(20)];
        let in_turn = |place: usize| mine[place * step % mine.len()].clone();
        let mine: Vec<Delivery> = (0..mine.len()).map(in_turn).collect();

        let mut size = 200;
        for (reader, batch) in [
            (fixture, &mine[..90]),
            (other, &others[..]),
            (fixture, &mine[90..]),
        ] {
            for some in batch.chunks(45) {
                let answers = reader.connected.broker.settle(&results(some)).await;
                assert_eq!(answers.expect("settle"), vec![Settled::Applied; some.len()]);
                size -= some.len() as u64;
                assert_eq!(fixture.stats().await.size, size, "step {step}");
            }
        }
        let mut rest = fixture.fetch("one", 100).await;
        assert_eq!(sent(&messages("m", 200)[170..]), ids(&rest));
        rest.extend(left);
        let answers = fixture.connected.broker.settle(&results(&rest)).await;
        assert_eq!(answers.expect("settle"), vec![Settled::Applied; 32]);
        assert_eq!(fixture.stats().await.size, 0);
    }
}

/// Leases that no test outlasts.
fn lasting() -> Settings {
    Settings {
        lease: Duration::from_mins(1),
        ..Settings::default()
    }
}

/// Settles a few deliveries, so the broker knows what it can learn from that.
async fn warm_up(fixture: &Fixture) {
    for id in ["warm", "warmer"] {
        let delivery = fixture.deliver(&message(id), "one").await;
        let answers = fixture.connected.broker.settle(&results(&[delivery])).await;
        assert_eq!(answers.expect("settle"), [Settled::Applied]);
    }
}

fn results(deliveries: &[Delivery]) -> Vec<SettleRequest<'static>> {
    deliveries
        .iter()
        .map(|delivery| SettleRequest {
            record: Some(success(&delivery.task_id)),
            ..settle(delivery, Settlement::Complete)
        })
        .collect()
}
