//! Large messages: how many of them a fetch returns, and which are refused.
//!
//! Must not know which brokers there are.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, eventually};
use crate::{BrokerError, Delivery, FetchRequest, MAX_MESSAGE_BYTES, ReclaimRequest, TaskMessage};

/// Messages of slightly more than a thousand bytes.
fn thousands(count: usize) -> Vec<TaskMessage> {
    let text = "x".repeat(1000);
    let message = |_| TaskMessage::new("demo.f").args([text.as_str().into()]);
    (0..count).map(message).collect()
}

async fn fetch(fixture: &Fixture, limit: usize, bytes: usize) -> Vec<Delivery> {
    let consumer: Arc<str> = "one".into();
    let request = FetchRequest {
        queues: std::slice::from_ref(&fixture.queue),
        consumer: &consumer,
        limit,
        bytes,
        block: Duration::ZERO,
        interrupt: &CancellationToken::new(),
    };
    let fetched = fixture.connected.broker.fetch(request).await;
    fetched.expect("fetch")
}

/// The one above the limit is still delivered, so a large message doesn't get stuck. What had no room comes with the
/// next fetches, delivered for the first time.
pub async fn a_fetch_takes_at_most_its_bytes(fixture: &Fixture) {
    let sent = thousands(10);
    fixture.enqueue(&sent).await;
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let deliveries = fetch(fixture, 10, 2500).await;
        assert!((1..=3).contains(&deliveries.len()), "{}", deliveries.len());
        assert!(deliveries.iter().all(|delivery| delivery.deliveries == 1));
        got.extend(deliveries.into_iter().map(|delivery| delivery.task_id));
    }
    got.sort();
    let mut ids: Vec<_> = sent.into_iter().map(|message| message.id).collect();
    ids.sort();
    assert_eq!(got, ids);
}

/// The rest is reclaimed the next time.
pub async fn a_reclaim_takes_at_most_its_bytes(fixture: &Fixture) {
    fixture.enqueue(&thousands(4)).await;
    assert_eq!(fixture.fetch("gone", 4).await.len(), 4);
    let consumer: Arc<str> = "two".into();
    for expected in [3, 1] {
        let reclaimed = eventually("expired leases are reclaimed", || async {
            let request = ReclaimRequest {
                queue: &fixture.queue,
                consumer: &consumer,
                limit: 10,
                bytes: 2500,
            };
            let reclaimed = fixture.connected.broker.reclaim(request).await;
            Some(reclaimed.expect("reclaim")).filter(|got| !got.is_empty())
        });
        assert_eq!(reclaimed.await.len(), expected);
    }
}

/// The error says so, and nothing of its batch is queued.
pub async fn a_message_that_is_too_large_is_refused(fixture: &Fixture) {
    let large = TaskMessage::new("demo.f").args(["x".repeat(MAX_MESSAGE_BYTES).into()]);
    let batch = [TaskMessage::new("demo.f"), large];
    let refused = fixture.connected.broker.enqueue(&fixture.queue, &batch);
    let error = refused.await.expect_err("a message that is too large");
    assert!(
        matches!(&error, BrokerError::Invalid(said) if said.contains("33554432")),
        "{error}"
    );
    assert_eq!(fixture.stats().await.size, 0);
}
