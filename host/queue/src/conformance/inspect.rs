//! Promises to operators: numbers, lists, purges, consumers.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use super::fixture::{Fixture, eventually, give_up, ids, message, messages, settle, unreadable};
use crate::{Clock, QueueStats, ReplayOptions, ScanCursor, Settled, Settlement};

/// Each message is counted where it is.
pub async fn the_numbers_are_right(fixture: &Fixture) {
    assert_eq!(fixture.stats().await, QueueStats::default());
    let mut late = messages("late", 3);
    for message in &mut late {
        message.eta = Some(fixture.ahead(60));
    }
    fixture.enqueue(&late).await;
    fixture.enqueue(&messages("m", 7)).await;
    let deliveries = fixture.fetch("one", 4).await;
    let failed_at = fixture.clock.now();
    fixture.settle(give_up(&deliveries[0], failed_at)).await;
    fixture
        .settle(settle(&deliveries[1], Settlement::Complete))
        .await;
    let stats = fixture.stats().await;
    let expected = QueueStats {
        size: 5,
        pending: 2,
        delayed: 3,
        dead: 1,
        consumers: 1,
        oldest_ready_ms: stats.oldest_ready_ms,
    };
    assert_eq!(stats, expected);
    assert_eq!(stats.ready(), 3);
    let elsewhere = fixture.connected.inspect.stats("elsewhere").await;
    assert_eq!(elsewhere.expect("stats"), QueueStats::default());
}

/// The age of the message that was added first among those that nobody has fetched.
pub async fn the_age_of_the_oldest_ready_message_is_known(fixture: &Fixture) {
    let mut late = message("late");
    late.eta = Some(fixture.ahead(60));
    fixture.enqueue(&[late]).await;
    assert_eq!(fixture.stats().await.oldest_ready_ms, None);
    fixture.enqueue(&messages("m", 2)).await;
    let age = || async { fixture.stats().await.oldest_ready_ms };
    eventually("a ready message grows old", || async {
        age().await.filter(|age| *age >= 30)
    })
    .await;
    let begun = Instant::now();
    fixture.enqueue(&[message("new")]).await;
    assert!(age().await >= Some(30), "the first counts");
    fixture.fetch("one", 2).await;
    let newer = age().await.expect("a ready message");
    assert!(
        u128::from(newer) <= begun.elapsed().as_millis() + 1,
        "{newer} ms"
    );
    fixture.fetch("one", 1).await;
    assert_eq!(age().await, None);
}

/// A queue that is empty and that nobody serves is not a queue.
pub async fn a_purged_queue_that_nobody_serves_is_gone(fixture: &Fixture) {
    let (broker, inspect) = (&fixture.connected.broker, &fixture.connected.inspect);
    let added = broker.enqueue("unserved", &messages("m", 3)).await;
    added.expect("enqueue");
    let served = fixture.deliver(&message("served"), "one").await;
    assert_eq!(inspect.purge("unserved").await.expect("purge"), 3);
    assert_eq!(inspect.purge(&fixture.queue).await.expect("purge"), 1);
    let listed = || async { inspect.queues().await.expect("queues") };
    assert_eq!(listed().await, [&*fixture.queue]);
    let answer = fixture.settle(settle(&served, Settlement::Complete)).await;
    assert_eq!(answer, Settled::LeaseLost);
    let found = inspect.find_queues().await.expect("queues");
    assert_eq!(found, [&*fixture.queue]);

    let other = fixture.again(super::Settings::default()).await;
    let added = other.broker.enqueue("unserved", &messages("n", 1)).await;
    added.expect("enqueue");
    assert_eq!(listed().await, [&*fixture.queue, "unserved"]);
}

/// However many there are: in steps, none of which takes long.
pub async fn a_purge_takes_many(fixture: &Fixture) {
    let mut late = messages("late", 6_000);
    for message in &mut late {
        message.eta = Some(fixture.ahead(60));
    }
    fixture.enqueue(&late).await;
    fixture.enqueue(&messages("m", 11_000)).await;
    let held = fixture.fetch("one", 1_500).await;
    let purged = fixture.connected.inspect.purge(&fixture.queue).await;
    assert_eq!(purged.expect("purge"), 17_000);
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.pending, stats.delayed), (0, 0, 0));
    let batch: Vec<_> = held
        .iter()
        .map(|held| settle(held, Settlement::Complete))
        .collect();
    let answers = fixture
        .connected
        .broker
        .settle(&batch)
        .await
        .expect("settle");
    assert!(answers.iter().all(|answer| *answer == Settled::LeaseLost));
}

/// Wherever a queue has something.
pub async fn queues_are_listed(fixture: &Fixture) {
    let inspect = &fixture.connected.inspect;
    assert!(inspect.queues().await.expect("queues").is_empty());
    let broker = &fixture.connected.broker;
    let mut late = message("late");
    late.eta = Some(fixture.ahead(60));
    broker
        .enqueue("ready", &[message("m")])
        .await
        .expect("enqueue");
    broker.enqueue("delayed", &[late]).await.expect("enqueue");
    let delivery = fixture.deliver(&message("dead"), "one").await;
    fixture
        .settle(give_up(&delivery, fixture.clock.now()))
        .await;
    let mut queues = inspect.queues().await.expect("queues");
    queues.sort();
    assert_eq!(queues, ["default", "delayed", "ready"]);
}

/// The one due next comes first.
pub async fn delayed_messages_are_listed_by_time(fixture: &Fixture) {
    let mut all = messages("m", 3);
    for (seconds, message) in [30, 10, 20].into_iter().zip(&mut all) {
        message.eta = Some(fixture.ahead(seconds));
    }
    fixture.enqueue(&all).await;
    let inspect = &fixture.connected.inspect;
    let listed = inspect.delayed(&fixture.queue, 2).await.expect("delayed");
    assert_eq!(listed.len(), 2);
    for (entry, expected) in listed.iter().zip([&all[1], &all[2]]) {
        assert_eq!(Some(entry.due), expected.eta);
        assert_eq!(entry.message.as_ref(), Some(expected));
    }
}

/// Workers in the middle of a task lose their lease, and continue with what comes next.
pub async fn a_purge_takes_all_but_dead_letters(fixture: &Fixture) {
    let dead = fixture.deliver(&message("dead"), "one").await;
    fixture.settle(give_up(&dead, fixture.clock.now())).await;
    let held = fixture.deliver(&message("held"), "one").await;
    let mut late = message("late");
    late.eta = Some(fixture.ahead(60));
    fixture.enqueue(&[message("ready"), late]).await;

    let inspect = &fixture.connected.inspect;
    let purged = inspect.purge(&fixture.queue).await.expect("purge");
    assert_eq!(purged, 3);
    let stats = fixture.stats().await;
    let numbers = (stats.size, stats.pending, stats.delayed, stats.dead);
    assert_eq!(numbers, (0, 0, 0, 1));
    let answer = fixture.settle(settle(&held, Settlement::Complete)).await;
    assert_eq!(answer, Settled::LeaseLost);

    fixture.enqueue(&[message("next")]).await;
    let next = fixture.fetch("one", 10).await;
    assert_eq!(ids(&next), ["next"]);
    let answer = fixture.settle(settle(&next[0], Settlement::Complete)).await;
    assert_eq!(answer, Settled::Applied);
    let again = inspect.purge(&fixture.queue).await.expect("purge");
    assert_eq!(again, 0);
}

/// The ids of everything that a scan finds; `meanwhile` runs after its first page.
async fn scanned<F: Future<Output = ()>>(
    fixture: &Fixture,
    meanwhile: impl FnOnce() -> F,
) -> BTreeSet<String> {
    let inspect = &fixture.connected.inspect;
    let mut meanwhile = Some(meanwhile);
    let mut met = BTreeSet::new();
    let mut cursor = Some(ScanCursor::default());
    while let Some(from) = cursor {
        let page = inspect.scan(&fixture.queue, from).await.expect("scan");
        met.extend(page.messages.into_iter().map(|message| message.id.into()));
        cursor = page.next;
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile().await;
        }
    }
    met
}

/// Wherever they are, and however many there are. What can't be read is left out.
pub async fn a_scan_meets_every_message(fixture: &Fixture) {
    assert!(scanned(fixture, || async {}).await.is_empty());
    let dead = fixture.deliver(&message("dead"), "one").await;
    fixture.settle(give_up(&dead, fixture.clock.now())).await;
    fixture.deliver(&message("held"), "one").await;
    let mut late = messages("late", 1_200);
    for message in &mut late {
        message.eta = Some(fixture.ahead(60));
    }
    let ready = messages("ready", 1_200);
    fixture.enqueue(&late).await;
    fixture.enqueue(&ready).await;
    fixture.enqueue(&[unreadable("junk")]).await;
    let broker = &fixture.connected.broker;
    let other = broker.enqueue("other", &[message("other")]).await;
    other.expect("enqueue");

    let mut expected: BTreeSet<_> = ["dead".to_owned(), "held".to_owned()].into();
    expected.extend(
        late.into_iter()
            .chain(ready)
            .map(|message| message.id.into()),
    );
    assert_eq!(scanned(fixture, || async {}).await, expected);
}

/// A message that becomes due, is retried, given up on, or replayed.
pub async fn a_scan_meets_what_moves_meanwhile(fixture: &Fixture) {
    let dead = fixture.deliver(&message("replayed"), "one").await;
    fixture.settle(give_up(&dead, fixture.clock.now())).await;
    let retried = fixture.deliver(&message("retried"), "one").await;
    let given_up = fixture.deliver(&message("given-up"), "one").await;
    let mut late = message("due");
    late.eta = Some(fixture.ahead(60));
    fixture.enqueue(&[late]).await;
    let met = scanned(fixture, || async {
        fixture.clock.advance(Duration::from_mins(2));
        assert_eq!(fixture.promote(10).await.0, 1);
        let at = fixture.ahead(60);
        let mut next = message("retried");
        next.eta = Some(at);
        let message = Box::new(next);
        let retry = Settlement::Retry { at, message };
        fixture.settle(settle(&retried, retry)).await;
        let failed_at = fixture.clock.now();
        fixture.settle(give_up(&given_up, failed_at)).await;
        let options = ReplayOptions {
            reset_retries: false,
        };
        let inspect = &fixture.connected.inspect;
        let replayed = inspect.replay(&fixture.queue, "replayed", options).await;
        assert!(replayed.expect("replay"));
    })
    .await;
    let met: Vec<_> = met.iter().map(String::as_str).collect();
    assert_eq!(met, ["due", "given-up", "replayed", "retried"]);
}

/// Together with what they hold.
pub async fn consumers_are_known_once_they_fetched(fixture: &Fixture) {
    let inspect = &fixture.connected.inspect;
    let none = inspect.consumers(&fixture.queue).await;
    assert!(none.expect("consumers").is_empty());
    fixture.enqueue(&messages("m", 3)).await;
    fixture.fetch("one", 2).await;
    fixture.fetch("two", 1).await;
    let consumers = inspect.consumers(&fixture.queue).await.expect("consumers");
    let mut known: Vec<_> = consumers
        .iter()
        .map(|consumer| (consumer.name.as_str(), consumer.pending))
        .collect();
    known.sort_unstable();
    assert_eq!(known, [("one", 2), ("two", 1)]);
    assert_eq!(fixture.stats().await.consumers, 2);
}

/// A consumer that holds something is never forgotten; otherwise its messages would be, too.
pub async fn stale_consumers_go_unless_they_hold_something(fixture: &Fixture) {
    let done = fixture.deliver(&message("done"), "idle").await;
    fixture.settle(settle(&done, Settlement::Complete)).await;
    fixture.deliver(&message("held"), "busy").await;
    let inspect = &fixture.connected.inspect;
    let day = Duration::from_hours(24);
    let removed = inspect.remove_stale_consumers(&fixture.queue, day).await;
    assert_eq!(removed.expect("remove"), 0);

    let removed = eventually("an idle consumer is forgotten", || async {
        let idle = Duration::from_millis(1);
        let removed = inspect.remove_stale_consumers(&fixture.queue, idle).await;
        Some(removed.expect("remove")).filter(|removed| *removed > 0)
    })
    .await;
    assert_eq!(removed, 1);
    let consumers = inspect.consumers(&fixture.queue).await.expect("consumers");
    assert_eq!(consumers.len(), 1);
    assert_eq!((&*consumers[0].name, consumers[0].pending), ("busy", 1));
    let taken = fixture.reclaimed("other", 10).await;
    assert_eq!(ids(&taken), ["held"]);
}

/// Of the named consumers, those that hold something stay.
pub async fn consumers_are_removed_by_name_unless_they_hold_something(fixture: &Fixture) {
    for name in ["gone", "other"] {
        let done = fixture.deliver(&message(name), name).await;
        fixture.settle(settle(&done, Settlement::Complete)).await;
    }
    fixture.deliver(&message("held"), "busy").await;
    let inspect = &fixture.connected.inspect;
    let names = ["gone", "busy", "unknown"].map(str::to_owned);
    let removed = inspect.remove_consumers(&fixture.queue, &names).await;
    assert_eq!(removed.expect("remove"), 1);
    let consumers = inspect.consumers(&fixture.queue).await.expect("consumers");
    let mut left: Vec<_> = consumers.iter().map(|one| &*one.name).collect();
    left.sort_unstable();
    assert_eq!(left, ["busy", "other"]);
    assert_eq!(ids(&fixture.reclaimed("other", 10).await), ["held"]);
    let removed = inspect.remove_consumers("no-such-queue", &names).await;
    assert_eq!(removed.expect("remove"), 0);
}
