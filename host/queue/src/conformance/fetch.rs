//! Promises about leasing ready messages.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fixture::{
    Fixture, PATIENCE, Settings, fetch, ids, message, messages, soon, unreadable,
};
use crate::{Connected, Delivery, FetchRequest, Payload, UnreadableMessage};

/// Whatever the number of queues.
pub async fn a_fetch_takes_at_most_its_limit(fixture: &Fixture) {
    let queues: [Arc<str>; 3] = ["a".into(), "b".into(), "c".into()];
    for queue in &queues {
        let batch = messages(queue, 20);
        fixture
            .connected
            .broker
            .enqueue(queue, &batch)
            .await
            .expect("enqueue");
    }
    let mut total = 0;
    for limit in [1, 2, 3, 4, 10, 1, 7] {
        let got = fetch(&fixture.connected, &queues, "one", limit, Duration::ZERO).await;
        assert!(got.len() <= limit, "{} for a limit of {limit}", got.len());
        total += got.len();
    }
    for _ in 0..60 {
        total += fetch(&fixture.connected, &queues, "one", 9, Duration::ZERO)
            .await
            .len();
    }
    assert_eq!(total, 60, "every message is delivered, and only once");
}

/// A queue that is never empty does not keep the others waiting.
pub async fn no_queue_starves(fixture: &Fixture) {
    let queues: [Arc<str>; 3] = ["busy".into(), "calm".into(), "other".into()];
    let broker = &fixture.connected.broker;
    broker
        .enqueue("busy", &messages("busy", 500))
        .await
        .expect("enqueue");
    for limit in [1, 2, 8] {
        for quiet in ["calm", "other"] {
            broker
                .enqueue(quiet, &messages(quiet, 1))
                .await
                .expect("enqueue");
        }
        let mut served = HashSet::new();
        for _ in 0..6 {
            let got = fetch(&fixture.connected, &queues, "one", limit, Duration::ZERO).await;
            served.extend(got.into_iter().map(|delivery| delivery.lease.queue));
        }
        assert_eq!(served.len(), 3, "with a limit of {limit}: only {served:?}");
    }
}

/// Nor among many that all have more than a fetch takes; and a message that comes late is not the last.
pub async fn backlogs_take_turns(fixture: &Fixture) {
    let mut queues: Vec<Arc<str>> = (0..20).map(|n| format!("busy-{n}").into()).collect();
    queues.push("late".into());
    let broker = &fixture.connected.broker;
    for queue in &queues[..20] {
        broker
            .enqueue(queue, &messages(queue, 100))
            .await
            .expect("enqueue");
    }
    let mut fetches = Vec::new();
    for number in 0..24 {
        if number == 4 {
            broker
                .enqueue("late", &messages("late", 1))
                .await
                .expect("enqueue");
        }
        let got = fetch(&fixture.connected, &queues, "one", 64, Duration::ZERO).await;
        assert!(got.len() > 32 && got.len() <= 64, "{} of 64", got.len());
        fetches.push(got);
    }
    let has_late = |got: &Vec<Delivery>| got.iter().any(|one| &*one.lease.queue == "late");
    let late = fetches.iter().position(has_late).expect("the late message");
    assert!(late < 12, "in fetch {late}");
    let served: HashSet<_> = fetches
        .iter()
        .flatten()
        .map(|delivery| &delivery.lease.queue)
        .collect();
    assert_eq!(served.len(), queues.len(), "{served:?}");
}

/// No messages is a valid answer.
pub async fn a_fetch_returns_empty_when_its_time_is_over(fixture: &Fixture) {
    let queues = [fixture.queue.clone(), "other".into()];
    for block in [Duration::ZERO, Duration::from_millis(30)] {
        let fetching = fetch(&fixture.connected, &queues, "one", 5, block);
        let got = soon("a fetch ends when its time is over", fetching).await;
        assert!(got.is_empty());
    }
}

/// Within one process.
pub async fn a_blocked_fetch_is_woken_by_enqueue(fixture: &Fixture) {
    woken(fixture, &fixture.connected).await;
}

/// Only through the store.
pub async fn a_blocked_fetch_is_woken_by_another_process(fixture: &Fixture) {
    woken(fixture, &fixture.again(Settings::default()).await).await;
}

async fn woken(fixture: &Fixture, producer: &Connected) {
    let queues = [fixture.queue.clone()];
    for round in 0..20 {
        let sending = async {
            // In some rounds the fetch isn't waiting yet, in others it is.
            for _ in 0..round * 3 {
                fixture.stats().await;
            }
            producer
                .broker
                .enqueue(&fixture.queue, &[message(format!("m{round}"))])
                .await
                .expect("enqueue");
        };
        let fetching = fetch(&fixture.connected, &queues, "one", 5, PATIENCE * 2);
        let (got, ()) = soon("a blocked fetch is woken", async {
            tokio::join!(fetching, sending)
        })
        .await;
        assert_eq!(ids(&got), [format!("m{round}")]);
    }
}

/// A message that coincides with the interruption is either returned or still there.
pub async fn an_interrupted_fetch_loses_nothing(fixture: &Fixture) {
    let consumer: Arc<str> = "one".into();
    let queues = [fixture.queue.clone()];
    for round in 0..30 {
        let interrupt = CancellationToken::new();
        let request = FetchRequest {
            queues: &queues,
            consumer: &consumer,
            limit: 5,
            bytes: usize::MAX,
            block: PATIENCE * 2,
            interrupt: &interrupt,
        };
        let interrupting = async {
            for _ in 0..round % 7 {
                fixture.stats().await;
            }
            if round % 2 == 0 {
                fixture.enqueue(&[message(format!("m{round}"))]).await;
            }
            interrupt.cancel();
        };
        let (got, ()) = soon("an interrupted fetch ends", async {
            tokio::join!(fixture.connected.broker.fetch(request), interrupting)
        })
        .await;
        let mut got = got.expect("fetch");
        got.extend(fixture.fetch("two", 5).await);
        let expected = usize::from(round % 2 == 0);
        assert_eq!(got.len(), expected, "in round {round}");
    }
}

/// Each message goes to one consumer.
pub async fn concurrent_fetchers_share_no_message(fixture: &Fixture) {
    let all = messages("m", 2_000);
    fixture.enqueue(&all).await;
    let mut fetchers = tokio::task::JoinSet::new();
    for number in 0..4 {
        let connected = fixture.again(Settings::default()).await;
        let queues = [fixture.queue.clone()];
        fetchers.spawn(async move {
            let consumer = format!("consumer-{number}");
            let mut got = Vec::new();
            loop {
                let batch = fetch(&connected, &queues, &consumer, 17, Duration::ZERO).await;
                if batch.is_empty() {
                    return got;
                }
                got.extend(batch.into_iter().map(|delivery| delivery.task_id));
            }
        });
    }
    let got: Vec<chicory_signature::SharedStr> = fetchers.join_all().await.concat();
    let distinct: HashSet<&str> = got
        .iter()
        .map(chicory_signature::SharedStr::as_str)
        .collect();
    assert_eq!((got.len(), distinct.len()), (all.len(), all.len()));
}

/// They are a delivery like any other, so they can be dead-lettered.
pub async fn unreadable_bytes_are_delivered_as_such(fixture: &Fixture) {
    let delivery = fixture.deliver(&unreadable("odd"), "one").await;
    assert_eq!(
        delivery.payload,
        Payload::Unreadable(UnreadableMessage::Format(7))
    );
    assert_eq!(&delivery.raw[..], unreadable("odd").encode().as_bytes());
}
