//! Promises about messages whose ids are given by the caller: an id that is already there is noticed.

use std::time::Duration;

use super::fixture::{Fixture, Settings, eventually, give_up, ids, message, settle, success};
use crate::{
    BrokerError, Clock, Delivery, Enqueued, OnDuplicate, ReplayOptions, SettleRequest, Settled,
    Settlement, TaskMessage,
};

use Enqueued::{Added, Present};

fn given(id: &str) -> TaskMessage {
    TaskMessage::new("suite.task").with_id(id)
}

/// Complete, with a result.
fn done(delivery: &Delivery) -> SettleRequest<'static> {
    SettleRequest {
        record: Some(success(&delivery.task_id)),
        ..settle(delivery, Settlement::Complete)
    }
}

async fn try_add(
    fixture: &Fixture,
    messages: &[TaskMessage],
    on_duplicate: OnDuplicate,
) -> Result<Vec<Enqueued>, BrokerError> {
    let broker = &fixture.connected.broker;
    broker
        .enqueue_noted(&fixture.queue, messages, on_duplicate)
        .await
}

async fn add(fixture: &Fixture, messages: &[TaskMessage]) -> Vec<Enqueued> {
    let answers = try_add(fixture, messages, OnDuplicate::Return).await;
    answers.expect("enqueue")
}

/// From the moment it is added until its result is gone: ready, delayed, leased, waiting for a retry, ended.
pub async fn an_id_is_there_until_its_result_is_gone(fixture: &Fixture) {
    let mut late = given("m");
    late.eta = Some(fixture.ahead(60));
    assert_eq!(add(fixture, &[late]).await, [Added]);
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "delayed");
    fixture.clock.advance(Duration::from_mins(2));
    assert_eq!(fixture.promote(10).await.0, 1);
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "ready");
    let leased = fixture.fetch("one", 10).await;
    assert_eq!(ids(&leased), ["m"]);
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "leased");
    let retry = Settlement::Retry {
        at: fixture.ahead(60),
        message: Box::new(given("m")),
    };
    fixture.settle(settle(&leased[0], retry)).await;
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "retried");
    fixture.clock.advance(Duration::from_mins(2));
    fixture.promote(10).await;
    let leased = fixture.fetch("one", 10).await;
    let released = settle(&leased[0], Settlement::Release);
    fixture.settle(released).await;
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "released");
    let leased = fixture.fetch("one", 10).await;
    assert_eq!(fixture.settle(done(&leased[0])).await, Settled::Applied);
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "ended");
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.delayed), (0, 0));
}

/// Even if it stores no result: the id is remembered as long as its result would be.
pub async fn an_id_is_forgotten_in_time(fixture: &Fixture) {
    let settings = Settings {
        result_ttl: Duration::from_secs(1),
        ..Settings::default()
    };
    let fixture = &fixture.set(settings).await;
    assert_eq!(add(fixture, &[given("m")]).await, [Added]);
    let leased = fixture.fetch("one", 1).await;
    fixture
        .settle(settle(&leased[0], Settlement::Complete))
        .await;
    assert_eq!(add(fixture, &[given("m")]).await, [Present]);
    eventually("an id is forgotten", || async {
        (add(fixture, &[given("m")]).await == [Added]).then_some(())
    })
    .await;
}

/// An id from the batch that is already there, and an id that the batch has twice.
pub async fn a_batch_is_answered_one_by_one(fixture: &Fixture) {
    assert_eq!(add(fixture, &[given("b")]).await, [Added]);
    let plain = TaskMessage::new("suite.task");
    let batch = [
        given("a"),
        given("b"),
        plain.clone(),
        given("a"),
        given("c"),
    ];
    let answers = add(fixture, &batch).await;
    assert_eq!(answers, [Added, Present, Added, Present, Added]);
    let again = add(fixture, &batch).await;
    assert_eq!(again, [Present, Present, Added, Present, Present]);
    let got = fixture.fetch("one", 10).await;
    assert_eq!(ids(&got), ["b", "a", &*plain.id, "c", &*plain.id]);
}

/// None is added, and the error names the first.
pub async fn a_batch_with_an_id_that_is_there_is_refused(fixture: &Fixture) {
    add(fixture, &[given("b"), given("c")]).await;
    let batch = [given("a"), given("b"), given("c")];
    let refused = try_add(fixture, &batch, OnDuplicate::Reject).await;
    match refused {
        Err(BrokerError::DuplicateId { queue, id, count }) => {
            assert_eq!((&*queue, &*id, count), (&*fixture.queue, "b", 2));
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(fixture.stats().await.size, 2);
    let new = try_add(fixture, &batch[..1], OnDuplicate::Reject).await;
    assert_eq!(new.expect("enqueue"), [Added]);
}

/// Its earlier result is gone at once, so nobody takes it for the new one.
pub async fn an_id_that_is_there_is_run_again(fixture: &Fixture) {
    add(fixture, &[given("m")]).await;
    let leased = fixture.fetch("one", 1).await;
    fixture.settle(done(&leased[0])).await;
    let results = &fixture.connected.results;
    assert!(results.result("m").await.expect("a result").is_some());
    let again = try_add(fixture, &[given("m")], OnDuplicate::Run).await;
    assert_eq!(again.expect("enqueue"), [Added]);
    assert!(results.result("m").await.expect("no result").is_none());
    assert_eq!(add(fixture, &[given("m")]).await, [Present]);
    assert_eq!(ids(&fixture.fetch("one", 10).await), ["m"]);
}

/// Regardless of who enqueued it: an id that was not noted, or one of another queue.
pub async fn an_id_with_a_result_is_there(fixture: &Fixture) {
    let plain = message("plain");
    let delivery = fixture.deliver(&plain, "one").await;
    assert_eq!(add(fixture, &[given("plain")]).await, [Added], "not noted");
    fixture.fetch("one", 10).await;
    fixture.settle(done(&delivery)).await;
    let broker = &fixture.connected.broker;
    let batch = [given("plain")];
    let elsewhere = broker.enqueue_noted("elsewhere", &batch, OnDuplicate::Return);
    assert_eq!(elsewhere.await.expect("enqueue"), [Present]);
}

/// The ids are removed with the messages.
pub async fn a_purge_leaves_no_id(fixture: &Fixture) {
    add(fixture, &[given("ready"), given("leased")]).await;
    fixture.fetch("one", 1).await;
    let purged = fixture.connected.inspect.purge(&fixture.queue).await;
    assert_eq!(purged.expect("purge"), 2);
    let again = add(fixture, &[given("ready"), given("leased")]).await;
    assert_eq!(again, [Added, Added]);
}

/// The old end is cleared, and the id is there again.
pub async fn a_replay_clears_the_old_end(fixture: &Fixture) {
    add(fixture, &[given("m")]).await;
    let leased = fixture.fetch("one", 1).await;
    let failed = SettleRequest {
        record: Some(success("m")),
        ..give_up(&leased[0], fixture.clock.now())
    };
    assert_eq!(fixture.settle(failed).await, Settled::Applied);
    assert_eq!(add(fixture, &[given("m")]).await, [Present]);
    let results = &fixture.connected.results;
    assert!(results.result("m").await.expect("a result").is_some());
    let options = ReplayOptions {
        reset_retries: true,
    };
    let inspect = &fixture.connected.inspect;
    let replayed = inspect.replay(&fixture.queue, "m", options).await;
    assert!(replayed.expect("replay"));
    assert!(results.result("m").await.expect("no result").is_none());
    assert_eq!(results.state("m").await.expect("no state"), None);
    assert_eq!(add(fixture, &[given("m")]).await, [Present], "queued again");
}

/// The worker may be gone by the time the task ends, so the id is remembered from then on.
pub async fn an_acknowledged_id_is_remembered(fixture: &Fixture) {
    add(fixture, &[given("m")]).await;
    let leased = fixture.fetch("one", 1).await;
    let lease = leased[0].lease.clone();
    let broker = &fixture.connected.broker;
    let answers = broker.acknowledge(&[lease]).await.expect("acknowledge");
    assert_eq!(answers, [Settled::Applied]);
    assert_eq!(add(fixture, &[given("m")]).await, [Present]);
}
