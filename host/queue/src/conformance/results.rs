//! Promises about waiting for results, and about heartbeats.

use std::time::Duration;

use serde_json::{Map, json};

use super::fixture::{
    Fixture, PATIENCE, Settings, carried, eventually, message, settle, soon, success,
};
use crate::{Client, ResultRecord, Settlement, TaskState, Timestamp, ValidationMode, WorkerInfo};

fn state_only(task_id: &str, state: TaskState) -> ResultRecord<'static> {
    ResultRecord {
        tenant: crate::TenantName::default(),
        task_id: task_id.to_owned().into(),
        state,
        body: None,
        reply_to: None,
    }
}

/// First a state by itself, then a result with its own state.
pub async fn states_and_results_are_kept(fixture: &Fixture) {
    let results = &fixture.connected.results;
    assert_eq!(results.state("m").await.expect("state"), None);
    assert_eq!(results.result("m").await.expect("result"), None);
    for state in [TaskState::Pending, TaskState::Started, TaskState::Retry] {
        results
            .store(&[state_only("m", state)])
            .await
            .expect("store");
        assert_eq!(results.state("m").await.expect("state"), Some(state));
        assert_eq!(results.result("m").await.expect("result"), None);
    }
    let mut record = success("m");
    record.body = record
        .body
        .map(|body| body.replace('}', r#","usage":{"wall_ms":3}}"#).into());
    let records = [record, success("other")];
    results.store(&records).await.expect("store");
    let result = results.result("m").await.expect("result");
    let result = result.expect("it is kept");
    assert_eq!(result.task_id, "m");
    assert_eq!(result.state, TaskState::Success);
    assert_eq!(result.result, Some(json!(42)));
    assert_eq!((result.error, result.traceback), (None, None));
    assert_eq!(result.extra.get("usage"), Some(&json!({"wall_ms": 3})));
    let state = results.state("m").await.expect("state");
    assert_eq!(state, Some(TaskState::Success));
    let other = results.result("other").await.expect("result");
    assert!(other.is_some());
}

/// Whichever process writes it.
pub async fn a_wait_is_woken_by_the_writer(fixture: &Fixture) {
    let other = fixture.again(Settings::default()).await;
    let results = &fixture.connected.results;
    for round in 0..20 {
        let id = format!("m{round}");
        let writer = if round % 2 == 0 {
            results
        } else {
            &other.results
        };
        let writing = async {
            for _ in 0..round {
                fixture.stats().await;
            }
            writer
                .store(&[state_only(&id, TaskState::Started)])
                .await
                .expect("store");
            writer.store(&[success(&id)]).await.expect("store");
        };
        let (first, second, ()) = soon("a wait is woken", async {
            tokio::join!(
                results.wait(&id, None),
                results.wait(&id, Some(PATIENCE * 2)),
                writing
            )
        })
        .await;
        assert_eq!(first.expect("wait").expect("a result").task_id, id);
        assert_eq!(second.expect("wait").expect("a result").task_id, id);
    }
}

/// As in a worker.
pub async fn a_wait_is_woken_by_a_settlement(fixture: &Fixture) {
    let other = fixture.again(Settings::default()).await;
    for (round, waiter) in [&fixture.connected, &other].into_iter().enumerate() {
        let id = format!("m{round}");
        let delivery = fixture.deliver(&message(&id), "one").await;
        let mut done = settle(&delivery, Settlement::Complete);
        done.record = Some(success(&id));
        let (result, _) = soon("a wait is woken by a settlement", async {
            tokio::join!(waiter.results.wait(&id, None), fixture.settle(done))
        })
        .await;
        assert_eq!(result.expect("wait").expect("a result").task_id, id);
    }
}

/// Whether the message is settled or its result stored directly, and whether or not the message names an inbox.
pub async fn a_run_is_answered(fixture: &Fixture) {
    let client = Client::new(fixture.connected.clone()).validation(ValidationMode::None);
    let other = fixture.again(Settings::default()).await;
    for round in 0..4 {
        let id = format!("m{round}");
        let answering = async {
            let delivery = eventually("the message is there", async || {
                fixture.fetch("one", 1).await.pop()
            })
            .await;
            let answer = ResultRecord {
                tenant: crate::TenantName::default(),
                reply_to: (carried(&delivery).reply_to.clone())
                    .filter(|_| round < 3)
                    .map(Into::into),
                ..success(&id)
            };
            let mut done = settle(&delivery, Settlement::Complete);
            if round % 2 == 0 {
                done.record = Some(answer);
            } else {
                other.results.store(&[answer]).await.expect("store");
            }
            fixture.settle(done).await
        };
        let (answer, _) = soon("a run is answered", async {
            tokio::join!(client.run(&fixture.queue, message(&id), None), answering)
        })
        .await;
        assert_eq!(answer.expect("run").expect("a result").task_id, id);
    }
    let timeout = Some(Duration::from_millis(30));
    let running = client.run(&fixture.queue, message("late"), timeout);
    let nothing = soon("a run ends at its timeout", running).await;
    assert_eq!(nothing.expect("run"), None);
}

/// Without a result.
pub async fn a_wait_ends_at_its_timeout(fixture: &Fixture) {
    let results = &fixture.connected.results;
    results
        .store(&[state_only("m", TaskState::Started)])
        .await
        .expect("store");
    for timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let waiting = results.wait("m", Some(timeout));
        let result = soon("a wait ends at its timeout", waiting).await;
        assert_eq!(result.expect("wait"), None);
    }
    results.store(&[success("m")]).await.expect("store");
    let there = results.wait("m", Some(Duration::ZERO)).await.expect("wait");
    assert!(there.is_some(), "what is there needs no time");
}

/// States and results alike.
pub async fn results_expire(fixture: &Fixture) {
    let ttl = Duration::from_secs(1);
    let brief = fixture
        .again(Settings {
            result_ttl: ttl,
            ..Settings::default()
        })
        .await;
    let records = [success("m"), state_only("other", TaskState::Retry)];
    brief.results.store(&records).await.expect("store");
    eventually("results expire", || async {
        let state = brief.results.state("m").await.expect("state");
        let other = brief.results.state("other").await.expect("state");
        let result = brief.results.result("m").await.expect("result");
        (state.is_none() && other.is_none() && result.is_none()).then_some(())
    })
    .await;
    let deleted = brief.results.delete("m").await.expect("delete");
    assert!(!deleted, "there is nothing any more");
}

/// State and result at once.
pub async fn results_are_deleted(fixture: &Fixture) {
    let results = &fixture.connected.results;
    results
        .store(&[success("m"), success("other")])
        .await
        .expect("store");
    assert!(results.delete("m").await.expect("delete"));
    assert!(!results.delete("m").await.expect("delete"));
    assert_eq!(results.state("m").await.expect("state"), None);
    assert_eq!(results.result("m").await.expect("result"), None);
    assert!(results.result("other").await.expect("result").is_some());
}

fn worker(id: &str) -> WorkerInfo {
    WorkerInfo {
        worker_id: id.into(),
        hostname: "host".into(),
        pid: 7,
        queue: "default".into(),
        concurrency: 4,
        tasks_processed: 10,
        tasks_failed: 1,
        active_tasks: 2,
        started_at: Timestamp::from_micros(1_700_000_000_000_000),
        last_heartbeat: None,
        is_running: true,
        extra: Map::from_iter([("version".to_owned(), json!("9"))]),
    }
}

async fn listed(fixture: &Fixture) -> Vec<WorkerInfo> {
    let mut workers = fixture.connected.results.workers().await.expect("workers");
    workers.sort_by(|a, b| a.worker_id.cmp(&b.worker_id));
    workers
}

/// A heartbeat replaces the previous one.
pub async fn workers_are_listed_until_they_sign_off(fixture: &Fixture) {
    let results = &fixture.connected.results;
    let ttl = Duration::from_mins(1);
    for id in ["a", "b", "a"] {
        let mut info = worker(id);
        info.last_heartbeat = Some(Timestamp::from_micros(1_700_000_001_000_000));
        results.heartbeat(&info, ttl).await.expect("heartbeat");
    }
    let mut busy = worker("b");
    busy.active_tasks = 4;
    results.heartbeat(&busy, ttl).await.expect("heartbeat");
    let workers = listed(fixture).await;
    assert_eq!(workers.len(), 2);
    assert_eq!(workers[1], busy);
    results.sign_off("a").await.expect("sign off");
    results.sign_off("nobody").await.expect("sign off");
    assert_eq!(listed(fixture).await, [busy]);
    let removed = results.remove_stale_workers().await.expect("remove");
    assert_eq!(removed, 0, "who signed off is not stale");
}

/// Only those whose heartbeat has expired.
pub async fn stale_workers_are_forgotten(fixture: &Fixture) {
    let results = &fixture.connected.results;
    let (brief, long) = (Duration::from_secs(1), Duration::from_mins(1));
    results
        .heartbeat(&worker("gone"), brief)
        .await
        .expect("heartbeat");
    results
        .heartbeat(&worker("live"), long)
        .await
        .expect("heartbeat");
    eventually("a heartbeat ends", || async {
        (listed(fixture).await == [worker("live")]).then_some(())
    })
    .await;
    let removed = results.remove_stale_workers().await.expect("remove");
    assert_eq!(removed, 1);
    let removed = results.remove_stale_workers().await.expect("remove");
    assert_eq!(removed, 0);
    assert_eq!(listed(fixture).await, [worker("live")]);
}
