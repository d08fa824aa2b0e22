//! Large messages: how many of them a fetch returns, and which are refused.
//!
//! Must not know which brokers there are.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fixture::{
    Fixture, Settings, eventually, give_up, ids, message, sent, settle, soon, success,
};
use crate::{
    BrokerError, Clock, Delivery, FetchRequest, LARGE_BYTES, MAX_MESSAGE_BYTES, ReclaimRequest,
    ResultRecord, Settled, Settlement, TaskMessage, TaskState,
};

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

fn large_text(beginning: &str) -> String {
    beginning.to_owned() + &"x".repeat(3 * LARGE_BYTES)
}

/// What is written for a task that returned a large text.
fn large_success(id: &str, text: &str) -> ResultRecord<'static> {
    let body = json!({ "task_id": id, "state": "SUCCESS", "result": text });
    ResultRecord {
        body: Some(body.to_string().into()),
        ..success(id)
    }
}

/// A large message for any task.
fn large_message(id: &str) -> TaskMessage {
    message(id.to_owned()).args([large_text("").into()])
}

/// Like a small one, whether it is settled or stored, even among small ones: it is kept, and those who wait are told.
pub async fn a_large_result_is_kept_and_told(fixture: &Fixture) {
    let results = &fixture.connected.results;
    let text = large_text("one ");
    let each = ["large", "small", "again"].map(message);
    fixture.enqueue(&each).await;
    let deliveries = fixture.fetch("one", 3).await;
    let mut batch: Vec<_> = (deliveries.iter())
        .map(|delivery| settle(delivery, Settlement::Complete))
        .collect();
    batch[0].record = Some(large_success("large", &text));
    batch[1].record = Some(success("small"));
    batch[2].record = Some(large_success("again", &text));
    let settling = fixture.connected.broker.settle(&batch);
    let (large, again, answers) = soon("a wait is woken by a large result", async {
        let (large, again) = (results.wait("large", None), results.wait("again", None));
        tokio::join!(large, again, settling)
    })
    .await;
    assert_eq!(answers.expect("settle"), [Settled::Applied; 3]);
    for result in [large, again] {
        let result = result.expect("wait").expect("a result");
        assert!(result.result == Some(json!(text)));
    }
    let small = results.result("small").await.expect("result");
    assert_eq!(small.and_then(|small| small.result), Some(json!(42)));

    let text = large_text("two ");
    let stored = [success("s"), large_success("l", &text), success("t")];
    results.store(&stored).await.expect("store");
    let large = results.result("l").await.expect("result");
    assert!(large.and_then(|large| large.result) == Some(json!(text)));
    for id in ["s", "l", "t"] {
        let state = results.state(id).await.expect("state");
        assert_eq!(state, Some(TaskState::Success), "{id}");
    }
}

/// It expires like others.
pub async fn a_large_result_expires(fixture: &Fixture) {
    let ttl = Duration::from_secs(1);
    let settings = Settings {
        result_ttl: ttl,
        ..Settings::default()
    };
    let brief = fixture.set(settings).await;
    let delivery = brief.deliver(&message("m"), "one").await;
    let mut done = settle(&delivery, Settlement::Complete);
    done.record = Some(large_success("m", &large_text("")));
    assert_eq!(brief.settle(done).await, Settled::Applied);
    let results = &brief.connected.results;
    assert!(results.result("m").await.expect("result").is_some());
    eventually("a large result expires", || async {
        (results.result("m").await.expect("result").is_none()).then_some(())
    })
    .await;
}

/// What is already there stays.
pub async fn a_lost_settlement_writes_no_large_result(fixture: &Fixture) {
    let delivery = fixture.deliver(&message("m"), "one").await;
    let mut done = settle(&delivery, Settlement::Complete);
    done.record = Some(success("m"));
    let mut late = done.clone();
    late.record = Some(large_success("m", &large_text("late ")));
    assert_eq!(fixture.settle(done).await, Settled::Applied);
    assert_eq!(fixture.settle(late).await, Settled::LeaseLost);
    let result = fixture.connected.results.result("m").await.expect("result");
    let text = result.expect("the first result").result;
    assert!(text == Some(json!(42)), "the late result replaced it");
}

/// Each is answered separately, even beside small ones.
pub async fn large_messages_are_settled_in_every_way(fixture: &Fixture) {
    let all = ["released", "dead", "retried", "done"].map(large_message);
    fixture.enqueue(&all).await;
    fixture.enqueue(&[message("small")]).await;
    let deliveries = fixture.fetch("one", 5).await;
    let at = fixture.ahead(1);
    let retry = Settlement::Retry {
        at,
        message: Box::new(all[2].clone()),
    };
    let batch = [
        settle(&deliveries[4], Settlement::Complete),
        settle(&deliveries[0], Settlement::Release),
        give_up(&deliveries[1], fixture.clock.now()),
        settle(&deliveries[2], retry),
        settle(&deliveries[3], Settlement::Complete),
        settle(&deliveries[3], Settlement::Release),
    ];
    let answers = fixture.connected.broker.settle(&batch).await;
    let answers = answers.expect("settle");
    assert_eq!(answers[..4], [Settled::Applied; 4]);
    // Which of the two comes first is open; one of them has the lease.
    let held = answers[4..].iter().filter(|one| **one == Settled::Applied);
    assert_eq!(held.count(), 1, "{answers:?}");
    let stats = fixture.stats().await;
    assert_eq!((stats.pending, stats.delayed, stats.dead), (0, 1, 1));
    let ready = fixture.fetch("two", 5).await;
    assert!(ids(&ready).contains(&"released"), "{:?}", ids(&ready));
    let released = ready.iter().find(|one| one.task_id == "released");
    assert_eq!(released.expect("it is ready").raw, all[0].encode());
}

/// However many bytes they have.
pub async fn large_messages_are_promoted_in_their_order(fixture: &Fixture) {
    let text = "x".repeat(1 << 19);
    let mut all: Vec<_> = (0..12)
        .map(|number| {
            let own = message(format!("m{number:02}"));
            match number % 3 {
                0 => own,
                _ => own.args([text.as_str().into()]),
            }
        })
        .collect();
    for (seconds, message) in (1..).zip(&mut all) {
        message.eta = Some(fixture.ahead(seconds));
    }
    fixture.enqueue(&all).await;
    fixture.clock.advance(Duration::from_secs(9));
    assert_eq!(fixture.promote(5).await, (5, all[5].eta));
    assert_eq!(fixture.promote(100).await, (4, all[9].eta));
    assert_eq!(fixture.promote(100).await, (0, all[9].eta));
    let got = fixture.fetch("one", 100).await;
    assert_eq!(ids(&got), sent(&all[..9]));
}
