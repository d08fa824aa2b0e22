//! Whoever waits for a task that has no result, or never will have one, is told so.
//!
//! Must not know how results reach who waits.

use std::process::Stdio;
use std::time::Duration;

use chicory_queue::{Call, CallError, Client};
use chicory_testing::{Ran, Site, until};

/// The broker of Redis, and the embedded one.
fn sites() -> [Site; 2] {
    [
        Site::new(),
        Site::new().set("CHICORY_BROKER", "sqlite:q.db"),
    ]
}

/// Case Q2: the module keeps no results, which a producer can't know.
#[test]
fn who_waits_for_a_result_that_is_not_kept_is_told_of_the_end() {
    for site in sites() {
        site.deploy_with("demo", "ignore_result = true");
        let _worker = site.worker(&[]);
        let waited = site.run(&["enqueue", "demo.add", "1", "2", "--wait"]);
        assert_eq!(waited.ok(), "");
        assert!(
            waited.stderr.contains("`ignore_result` is set"),
            "{waited:?}"
        );
        let waited = site.run(&["enqueue", "demo.add", "1", "2", "--wait", "--json"]);
        let told = waited.json();
        assert_eq!(
            (&told["state"], &told["ignored"]),
            (&"SUCCESS".into(), &true.into())
        );
        assert!(told["result"].is_null(), "{told}");
        let failed = site.run(&[
            "enqueue",
            "demo.add",
            "1",
            "\"x\"",
            "--wait",
            "--validation",
            "none",
        ]);
        assert!(failed.fails(1).contains("ValidationError"), "{failed:?}");
        // Nobody waits for this one.
        let id = site.enqueue(&["demo.add", "1", "2"]);
        until("an empty queue", || {
            site.run(&["queue", "show", "--json"]).json()["size"] == 0
        });
        assert!(
            site.run(&["result", &id])
                .fails(4)
                .contains("ignore_result")
        );
    }
}

/// Case Q2, for a program with the client.
#[test]
fn a_call_of_a_task_whose_result_is_not_kept_says_so() {
    let site = Site::new();
    site.deploy_with("demo", "ignore_result = true");
    let _worker = site.worker(&[]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = Client::open(&site.redis.url())
            .await
            .expect("the server is there");
        let add = || Call::<u32>::new("demo.add").arg(1).arg(2);
        let patience = Some(Duration::from_mins(1));
        let called = client.call("default", add(), patience).await;
        assert!(
            matches!(called, Err(CallError::Ignored { .. })),
            "{called:?}"
        );
        let started = client.start("default", add()).await.expect("queued");
        let outcome = client.outcome(&started, patience).await;
        assert!(
            matches!(outcome, Err(CallError::Ignored { .. })),
            "{outcome:?}"
        );
    });
}

/// Case Q2: the queue is emptied while somebody waits, by the message or by its id.
#[test]
fn who_waits_for_a_task_that_is_purged_is_told() {
    for site in sites() {
        let by_id = site.enqueue(&["demo.add", "1", "2", "--delay", "1h"]);
        let wait = |args: &[&str]| {
            let mut command = site.command(args);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            std::thread::spawn(move || Ran::of(command, b""))
        };
        let waits = [
            wait(&["enqueue", "demo.add", "1", "2", "--wait"]),
            wait(&["result", &by_id, "--wait"]),
        ];
        until("both to wait", || {
            let queue = site.run(&["queue", "show", "--json"]).json();
            let channel = format!("chicory:done:{by_id}");
            let listeners: (String, u64) = site.redis.query(&["PUBSUB", "NUMSUB", &channel]);
            queue["ready"] == 1 && (listeners.1 == 1 || site.path("q.db").exists())
        });
        let removed = site.run(&["queue", "purge", "--yes", "--json"]).json();
        assert_eq!(removed["removed"], 2);
        for waited in waits {
            let waited = waited.join().expect("it ends");
            assert!(
                waited
                    .fails(1)
                    .contains("Purged: queue \"default\" was emptied"),
                "{waited:?}"
            );
        }
    }
}
