//! Promises to promoters: they hear of messages that are due earlier than they knew.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use super::fixture::{Fixture, Settings, message, settle};
use crate::{Connected, Settlement, Timestamp, Wake};

/// A wake-up may be lost, so its cause is repeated; each is due a second earlier than the previous one.
async fn heard<F: Future<Output = ()>>(
    wakes: &mut Receiver<Wake>,
    fixture: &Fixture,
    mut cause: impl FnMut(u64, Timestamp) -> F,
) {
    for round in 0..50 {
        let due = fixture.ahead(1_000 - round);
        cause(round, due).await;
        let told = tokio::time::timeout(Duration::from_millis(400), wakes.recv()).await;
        if let Ok(wake) = told {
            let wake = wake.expect("the subscription lasts");
            assert_eq!(wake.queue, fixture.queue);
            // One from an earlier round may arrive now.
            assert!((due..=fixture.ahead(1_000)).contains(&wake.due), "{wake:?}");
            return;
        }
    }
    panic!("broken promise: a promoter is woken");
}

async fn subscribed(fixture: &Fixture, connected: &Connected) -> Receiver<Wake> {
    let queues = ["other".into(), fixture.queue.clone()];
    let wakes = connected.broker.subscribe(&queues).await;
    wakes.expect("subscribe")
}

/// From this process or another.
pub async fn a_delayed_enqueue_wakes_the_promoter(fixture: &Fixture) {
    let other = fixture.again(Settings::default()).await;
    for (name, listener) in [("a", &fixture.connected), ("b", &other)] {
        let mut wakes = subscribed(fixture, listener).await;
        heard(&mut wakes, fixture, |round, due| async move {
            let mut late = message(format!("{name}{round}"));
            late.eta = Some(due);
            fixture.enqueue(&[late]).await;
        })
        .await;
        let purged = fixture.connected.inspect.purge(&fixture.queue).await;
        purged.expect("purge");
    }
}

/// From this process or another.
pub async fn a_retry_wakes_the_promoter(fixture: &Fixture) {
    let other = fixture.again(Settings::default()).await;
    for (name, listener) in [("a", &fixture.connected), ("b", &other)] {
        let mut wakes = subscribed(fixture, listener).await;
        heard(&mut wakes, fixture, |round, at| async move {
            let task = message(format!("{name}{round}"));
            let delivery = fixture.deliver(&task, "one").await;
            let mut next = task;
            next.eta = Some(at);
            let message = Box::new(next);
            let retry = Settlement::Retry { at, message };
            fixture.settle(settle(&delivery, retry)).await;
        })
        .await;
        let purged = fixture.connected.inspect.purge(&fixture.queue).await;
        purged.expect("purge");
    }
}
