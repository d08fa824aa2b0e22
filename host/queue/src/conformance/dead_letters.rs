//! Promises about messages that were given up on.

use super::fixture::{Fixture, Settings, carried, give_up, ids, message, messages, unreadable};
use crate::{
    BrokerError, Clock, DeadLetter, DeadLetterRange, Delivery, ReplayOptions, Settled, TaskMessage,
};

const KEEP: ReplayOptions = ReplayOptions {
    reset_retries: false,
};
const RESET: ReplayOptions = ReplayOptions {
    reset_retries: true,
};

async fn bury(fixture: &Fixture, message: &TaskMessage) -> Delivery {
    let delivery = fixture.deliver(message, "one").await;
    let settled = fixture
        .settle(give_up(&delivery, fixture.clock.now()))
        .await;
    assert_eq!(settled, Settled::Applied);
    delivery
}

async fn list(fixture: &Fixture, range: DeadLetterRange) -> Vec<DeadLetter> {
    let letters = fixture
        .connected
        .inspect
        .dead_letters(&fixture.queue, range);
    letters.await.expect("dead letters")
}

async fn find(fixture: &Fixture, id: &str) -> Option<DeadLetter> {
    let letter = fixture.connected.inspect.dead_letter(&fixture.queue, id);
    letter.await.expect("a dead letter")
}

async fn replay(fixture: &Fixture, id: &str, options: ReplayOptions) -> Result<bool, BrokerError> {
    let inspect = &fixture.connected.inspect;
    inspect.replay(&fixture.queue, id, options).await
}

/// The fields of Chicory for Python, and the message as it was.
pub async fn a_dead_letter_has_all_its_fields(fixture: &Fixture) {
    let sent = message("m");
    let delivery = bury(fixture, &sent).await;
    let letters = list(fixture, DeadLetterRange::default()).await;
    assert_eq!(letters.len(), 1);
    let expected = DeadLetter {
        id: letters[0].id.clone(),
        original_message: Some(sent.clone()),
        data: sent.encode(),
        failed_at: fixture.clock.now().to_string(),
        error: "Broken: it is".into(),
        retry_count: 3,
        original_stream_id: delivery.lease.entry.to_string(),
        task_id: "m".into(),
        task_name: "suite.task".into(),
    };
    assert_eq!(letters[0], expected);
    assert!(!expected.id.is_empty());
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.pending, stats.dead), (0, 0, 1));
}

/// All of them, page by page: each page begins after the last id of the previous one.
async fn paged(fixture: &Fixture, newest_first: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let range = DeadLetterRange {
            count: 2,
            after,
            newest_first,
        };
        let page = list(fixture, range).await;
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { return seen };
        after = Some(last.id.clone());
        seen.extend(page.into_iter().map(|letter| letter.task_id));
    }
}

/// The oldest first, or the newest.
pub async fn they_are_listed_in_pages(fixture: &Fixture) {
    for message in messages("m", 5) {
        bury(fixture, &message).await;
    }
    let mut expected = ["m00000", "m00001", "m00002", "m00003", "m00004"];
    assert_eq!(paged(fixture, false).await, expected);
    expected.reverse();
    assert_eq!(paged(fixture, true).await, expected);
}

/// Of several dead letters of one task, the newest is found first, and then the others.
pub async fn the_newest_of_a_task_is_found(fixture: &Fixture) {
    let mut buried = Vec::new();
    for _ in 0..3 {
        bury(fixture, &message("again")).await;
        let all = list(fixture, DeadLetterRange::default()).await;
        buried.push(all.last().expect("a dead letter").id.clone());
    }
    for own in buried.iter().rev() {
        assert_eq!(find(fixture, "again").await.expect("found").id, *own);
        let inspect = &fixture.connected.inspect;
        let deleted = inspect.delete_dead_letter(&fixture.queue, "again").await;
        assert!(deleted.expect("delete"));
    }
    assert_eq!(find(fixture, "again").await, None);
}

/// A full dead-letter queue takes new ones and forgets old ones.
pub async fn the_oldest_make_room(fixture: &Fixture) {
    let fixture = &fixture
        .set(Settings {
            dlq_max_length: Some(50),
            ..Settings::default()
        })
        .await;
    fixture.enqueue(&messages("m", 600)).await;
    let deliveries = fixture.fetch("one", 600).await;
    for part in deliveries.chunks(7) {
        let failed_at = fixture.clock.now();
        let batch: Vec<_> = part.iter().map(|one| give_up(one, failed_at)).collect();
        fixture
            .connected
            .broker
            .settle(&batch)
            .await
            .expect("settle");
    }
    let count = 1_000;
    let letters = list(
        fixture,
        DeadLetterRange {
            count,
            ..DeadLetterRange::default()
        },
    )
    .await;
    assert_eq!(letters.len(), 50);
    assert_eq!(
        (&*letters[0].task_id, &*letters[49].task_id),
        ("m00550", "m00599")
    );
    assert_eq!(find(fixture, "m00549").await, None);
    assert!(find(fixture, "m00550").await.is_some());
    assert_eq!(fixture.stats().await.dead, 50);
}

/// `reset_retries` clears what earlier attempts left.
pub async fn a_replay_keeps_the_retries_unless_told(fixture: &Fixture) {
    let mut tried = message("m");
    tried.retries = 4;
    tried.eta = Some(fixture.clock.now());
    tried.first_failure_at = Some(fixture.clock.now());
    tried.last_error = Some("Broken: it was".into());
    bury(fixture, &tried).await;
    assert!(replay(fixture, "m", KEEP).await.expect("replay"));
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.dead), (1, 0));

    let kept = fixture.fetch("one", 1).await;
    tried.eta = None;
    assert_eq!(carried(&kept[0]), &tried);
    assert_eq!(kept[0].task_id, "m");
    fixture.settle(give_up(&kept[0], fixture.clock.now())).await;
    assert!(replay(fixture, "m", RESET).await.expect("replay"));
    let anew = fixture.fetch("one", 1).await;
    assert_eq!(carried(&anew[0]), &message("m"));
}

/// A dead letter's own id, or its task's.
pub async fn both_ids_find_it(fixture: &Fixture) {
    for message in messages("m", 3) {
        bury(fixture, &message).await;
    }
    let by_task = find(fixture, "m00001").await.expect("found by its task");
    let by_own = find(fixture, &by_task.id).await.expect("found by its id");
    assert_eq!(by_task, by_own);
    assert_eq!(find(fixture, "nobody").await, None);
    assert!(!replay(fixture, "nobody", KEEP).await.expect("replay"));
    assert!(replay(fixture, &by_own.id, KEEP).await.expect("replay"));
    assert!(!replay(fixture, &by_own.id, KEEP).await.expect("replay"));
    assert!(replay(fixture, "m00002", KEEP).await.expect("replay"));
    let got = fixture.fetch("one", 10).await;
    assert_eq!(ids(&got), ["m00001", "m00002"]);
    assert_eq!(fixture.stats().await.dead, 1);
}

/// A message that could not run never comes back to the workers.
pub async fn an_unreadable_one_is_not_replayed_and_stays(fixture: &Fixture) {
    bury(fixture, &unreadable("odd")).await;
    let refused = replay(fixture, "odd", RESET).await;
    assert!(
        matches!(refused, Err(BrokerError::Invalid(_))),
        "{refused:?}"
    );
    let letter = find(fixture, "odd").await.expect("it stays");
    assert_eq!(letter.original_message, None);
    assert_eq!(letter.data, unreadable("odd").encode());
    assert_eq!(fixture.stats().await.size, 0);
}

/// One by one or all at once; messages in the queue stay.
pub async fn they_are_deleted_and_purged(fixture: &Fixture) {
    for message in messages("m", 4) {
        bury(fixture, &message).await;
    }
    fixture.enqueue(&[message("ready")]).await;
    let inspect = &fixture.connected.inspect;
    for (id, deleted) in [("m00001", true), ("m00001", false), ("nobody", false)] {
        let answer = inspect.delete_dead_letter(&fixture.queue, id).await;
        assert_eq!(answer.expect("delete"), deleted, "{id}");
    }
    let own = find(fixture, "m00002").await.expect("it is there").id;
    let deleted = inspect.delete_dead_letter(&fixture.queue, &own).await;
    assert!(deleted.expect("delete"));
    let purged = inspect.purge_dead_letters(&fixture.queue).await;
    assert_eq!(purged.expect("purge"), 2);
    let purged = inspect.purge_dead_letters(&fixture.queue).await;
    assert_eq!(purged.expect("purge"), 0);
    let stats = fixture.stats().await;
    assert_eq!((stats.size, stats.dead), (1, 0));
}
