//! Promises about messages that wait for their time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Fixture, Settings, fetch, ids, messages, sent};
use crate::TaskMessage;

fn spread(fixture: &Fixture, count: usize) -> Vec<TaskMessage> {
    let mut all = messages("m", count);
    for (seconds, message) in (1..).zip(&mut all) {
        message.eta = Some(fixture.ahead(seconds));
    }
    all
}

/// In whatever order they arrive, and none before its time.
pub async fn due_messages_come_in_the_order_of_their_times(fixture: &Fixture) {
    let all = spread(fixture, 5);
    let mut shuffled = all.clone();
    shuffled.rotate_left(2);
    shuffled.swap(0, 1);
    fixture.enqueue(&shuffled).await;
    assert_eq!(fixture.promote(10).await, (0, all[0].eta));
    fixture.clock.advance(Duration::from_secs(3));
    assert_eq!(fixture.promote(10).await, (3, all[3].eta));
    assert_eq!(fixture.promote(10).await, (0, all[3].eta));
    let got = fixture.fetch("one", 10).await;
    assert_eq!(ids(&got), sent(&all[..3]));
    fixture.clock.advance(Duration::from_secs(3));
    assert_eq!(fixture.promote(10).await, (2, None));
    assert_eq!(fixture.promote(10).await, (0, None));
    assert_eq!(ids(&fixture.fetch("one", 10).await), sent(&all[3..]));
}

/// All queues in one call, with one limit for all of them together.
pub async fn queues_are_promoted_together(fixture: &Fixture) {
    let queues: Vec<Arc<str>> = (0..60).map(|number| format!("q{number}").into()).collect();
    let broker = &fixture.connected.broker;
    let all = spread(fixture, 60);
    for (queue, message) in queues.iter().zip(&all) {
        let added = broker.enqueue(queue, std::slice::from_ref(message)).await;
        added.expect("enqueue");
    }
    let promote = async |limit| broker.promote(&queues, limit).await.expect("promote");
    let promoted = promote(100).await;
    assert_eq!((promoted.moved, promoted.next), (0, all[0].eta));
    fixture.clock.advance(Duration::from_secs(50));
    let promoted = promote(20).await;
    assert_eq!((promoted.moved, promoted.next), (20, all[20].eta));
    let promoted = promote(100).await;
    assert_eq!((promoted.moved, promoted.next), (30, all[50].eta));
    let got = fetch(&fixture.connected, &queues, "one", 100, Duration::ZERO).await;
    assert_eq!(got.len(), 50);
}

/// The rest is still due; the answer says so.
pub async fn promote_moves_at_most_its_limit(fixture: &Fixture) {
    let all = spread(fixture, 5);
    fixture.enqueue(&all).await;
    fixture.clock.advance(Duration::from_mins(1));
    assert_eq!(fixture.promote(2).await, (2, all[2].eta));
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.delayed), (2, 3));
    assert_eq!(fixture.promote(10).await, (3, None));
    assert_eq!(ids(&fixture.fetch("one", 10).await), sent(&all));
}

/// Each due message becomes ready once.
pub async fn racing_promoters_move_each_message_once(fixture: &Fixture) {
    let all = spread(fixture, 2_000);
    fixture.enqueue(&all).await;
    fixture.clock.advance(Duration::from_hours(1));
    let mut promoters = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let broker = fixture.again(Settings::default()).await.broker;
        let queue = fixture.queue.clone();
        promoters.spawn(async move {
            let mut moved = 0;
            loop {
                let queues = [queue.clone()];
                let promoted = broker.promote(&queues, 37).await.expect("promote");
                if (promoted.moved, promoted.next) == (0, None) {
                    return moved;
                }
                moved += promoted.moved;
            }
        });
    }
    let moved: usize = promoters.join_all().await.into_iter().sum();
    assert_eq!(moved, all.len());
    let got = fixture.fetch("one", 3_000).await;
    let distinct: HashSet<_> = ids(&got).into_iter().collect();
    assert_eq!((got.len(), distinct.len()), (all.len(), all.len()));
}
