//! Promises about adding messages.

use std::time::Duration;

use super::fixture::{Fixture, Settings, ids, message, messages, sent, settle};
use crate::{BrokerError, Clock, Settlement};

/// First in, first out, over calls of any size.
pub async fn messages_keep_their_order(fixture: &Fixture) {
    let all = messages("m", 20);
    fixture.enqueue(&all[..1]).await;
    fixture.enqueue(&[]).await;
    fixture.enqueue(&all[1..]).await;
    let mut got = fixture.fetch("one", 7).await;
    got.extend(fixture.fetch("two", 100).await);
    assert_eq!(ids(&got), sent(&all));
    for (delivery, message) in got.iter().zip(&all) {
        assert_eq!(super::fixture::carried(delivery), message);
        assert_eq!(&delivery.raw[..], message.encode().as_bytes());
        assert_eq!(delivery.deliveries, 1);
    }
}

/// A large batch is one call.
pub async fn a_bulk_of_ten_thousand_arrives_whole(fixture: &Fixture) {
    let all = messages("m", 10_000);
    fixture.enqueue(&all).await;
    assert_eq!(fixture.stats().await.size, 10_000);
    let mut got = Vec::new();
    loop {
        let batch = fixture.fetch("one", 1_000).await;
        if batch.is_empty() {
            break;
        }
        got.extend(batch);
    }
    assert_eq!(ids(&got), sent(&all));
}

/// `QueueFull` says how full the queue is, and nothing changes. Leased and delayed messages count.
pub async fn a_full_queue_refuses_all_or_takes_all(fixture: &Fixture) {
    let fixture = fixture
        .set(Settings {
            max_length: Some(5),
            ..Settings::default()
        })
        .await;
    fixture.enqueue(&messages("a", 3)).await;
    let leased = fixture.fetch("one", 1).await;
    let mut batch = messages("b", 3);
    let refused = fixture
        .connected
        .broker
        .enqueue(&fixture.queue, &batch)
        .await;
    match refused {
        Err(BrokerError::QueueFull {
            queue,
            length,
            limit,
        }) => assert_eq!((&*queue, length, limit), (&*fixture.queue, 3, 5)),
        other => panic!("not refused: {other:?}"),
    }
    for message in &mut batch {
        message.eta = Some(fixture.ahead(60));
    }
    let broker = &fixture.connected.broker;
    let delayed = broker.enqueue(&fixture.queue, &batch).await;
    assert!(
        matches!(delayed, Err(BrokerError::QueueFull { length: 3, .. })),
        "{delayed:?}"
    );
    batch[0].eta = None;
    fixture.enqueue(&batch[..2]).await;
    let full = broker.enqueue(&fixture.queue, &batch[2..]).await;
    assert!(
        matches!(full, Err(BrokerError::QueueFull { length: 5, .. })),
        "{full:?}"
    );
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.pending, stats.delayed), (4, 1, 1));

    fixture
        .settle(settle(&leased[0], Settlement::Complete))
        .await;
    fixture.enqueue(&messages("c", 1)).await;
    assert_eq!(fixture.stats().await.size, 4);
}

/// The broker's clock decides about `eta`.
pub async fn an_eta_ahead_delays_and_one_behind_does_not(fixture: &Fixture) {
    let (mut late, mut due) = (message("late"), message("due"));
    late.eta = Some(fixture.ahead(60));
    due.eta = Some(fixture.clock.now());
    fixture.enqueue(&[late, due]).await;
    assert_eq!(ids(&fixture.fetch("one", 10).await), ["due"]);
    fixture.clock.advance(Duration::from_mins(1));
    fixture.promote(10).await;
    assert_eq!(ids(&fixture.fetch("one", 10).await), ["late"]);
}
