//! New code for a running fleet: deploys, rollbacks and canaries.
//!
//! Must not know how a rollout works inside.

use chicory_testing::components::{answering, measuring, multiplying, trapping};
use chicory_testing::{Ran, Site, json, until, until_some};
use redis::Commands as _;
use serde_json::{Value, json};

use crate::batch::Batch;
use crate::versions::deploy;

/// A site whose workers only have what is deployed.
fn fleet() -> Site {
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

/// What a task returns, on a worker that is already running.
fn answer(site: &Site, args: &[&str]) -> Value {
    site.call(args)["result"].clone()
}

fn digest(ran: &Ran) -> String {
    ran.json()["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_running_worker_gets_new_code_and_the_old_back() {
    let site = fleet();
    let worker = site.worker(&[]);
    worker.line("no module yet");
    site.known_worker();
    let first = deploy(&site, "m", &answering(1), &["--version", "1", "--json"]).json();
    assert_eq!(
        (&first["state"], &first["workers"]),
        (&json!("active"), &json!(1))
    );
    assert_eq!(answer(&site, &["m.answer"]), 1);
    deploy(&site, "m", &answering(2), &[]).ok();
    assert_eq!(answer(&site, &["m.answer"]), 2);
    let again = deploy(&site, "m", &answering(2), &[]);
    assert!(again.ok().contains("is already active"), "{again:?}");
    let back = site.run(&["rollback", "m", "--json"]).json();
    assert_eq!(back["digest"], first["digest"]);
    assert_eq!(answer(&site, &["m.answer"]), 1);
    // A worker that starts later catches up.
    drop(worker);
    let later = site.worker(&[]);
    assert_eq!(later.line("serving")["tasks"], "m.answer");
    assert_eq!(answer(&site, &["m.answer"]), 1);
}

#[test]
fn no_task_is_lost_or_late_or_old_while_versions_change() {
    let site = fleet();
    let workers = [(); 4].map(|()| site.worker(&["--concurrency", "8"]));
    deploy(&site, "m", &answering(0), &[]).ok();
    for version in 1..=4_u32 {
        // Tasks queued by now run on the previous version or on this one, and all of them run.
        let before = Batch { size: 500 };
        before.enqueue(&site, |_| json!({ "name": "m.answer" }));
        deploy(&site, "m", &answering(version), &[]).ok();
        let after = site.enqueue(&["m.answer"]);
        assert_eq!(site.wait_for(&after)["result"], version);
        Batch::until_empty(&site);
        let mut redis = site.connection();
        for number in 0..before.size {
            let stored: String = redis
                .get(format!("chicory:result:{}", Batch::id(number)))
                .expect("each task has a result");
            let result = json(&stored)["result"].clone();
            assert!(result == version || result == version - 1, "{stored}");
        }
    }
    assert!(workers.iter().all(|worker| worker.count("failed") == 0));
}

#[test]
fn what_breaks_queued_messages_is_refused_or_leaves_them_their_version() {
    let site = fleet();
    let worker = site.worker(&[]);
    deploy(&site, "m", &multiplying("u32", 2), &[]).ok();
    let before = |delay: &str| {
        let args = ["enqueue", "m.double", "21", "--delay", delay];
        site.run(&args).ok().to_owned()
    };
    let queued = before("2s");
    let refused = deploy(&site, "m", &measuring(), &[]);
    let refused = refused.fails(1);
    assert!(
        refused.contains("parameter `n` is called `text` now")
            && refused.contains("--allow-breaking"),
        "{refused}"
    );
    let during = before("2s");
    deploy(&site, "m", &measuring(), &["--allow-breaking"]).ok();
    assert_eq!(answer(&site, &["m.double", "\"four\""]), 4);
    for id in [queued, during] {
        assert_eq!(
            site.wait_for(&id)["result"],
            42,
            "on the version that it was made for"
        );
    }
    assert_eq!(worker.count("failed"), 0);
    // Wider types are compatible.
    let site = fleet();
    let _worker = site.worker(&[]);
    deploy(&site, "m", &multiplying("u8", 2), &[]).ok();
    deploy(&site, "m", &multiplying("u32", 3), &[]).ok();
    assert_eq!(answer(&site, &["m.double", "1000"]), 3000);
}

#[test]
fn a_message_may_name_the_version_that_it_needs() {
    let site = fleet();
    let _worker = site.worker(&[]);
    let first = digest(&deploy(&site, "m", &answering(1), &["--json"]));
    deploy(&site, "m", &answering(2), &[]).ok();
    assert_eq!(answer(&site, &["m.answer", "--pin", &first]), 1);
    assert_eq!(answer(&site, &["m.answer"]), 2);
    let unknown = site.run(&["enqueue", "m.answer", "--pin", &"0".repeat(64)]);
    assert!(unknown.fails(2).contains("0000"), "{unknown:?}");
}

#[test]
fn a_canary_that_fails_is_rolled_back_and_its_tasks_run_on_the_version_before() {
    let site = fleet();
    let workers = [site.worker(&[]), site.worker(&[])];
    let good = digest(&deploy(&site, "m", &multiplying("u32", 3), &["--json"]));
    let canary = deploy(&site, "m", &trapping(), &["--canary", "20%", "--json"]).json();
    assert_eq!(canary["state"], "canary");
    let batch = Batch { size: 400 };
    // With its arguments: a task that failed on the canary runs again as it was sent.
    batch.enqueue(
        &site,
        |number| json!({ "name": "m.double", "args": [number] }),
    );
    Batch::until_empty(&site);
    let mut redis = site.connection();
    for number in 0..batch.size {
        let stored: String = redis
            .get(format!("chicory:result:{}", Batch::id(number)))
            .expect("each task has a result");
        assert_eq!(json(&stored)["result"], 3 * number, "{stored}");
    }
    let on_canary: usize = workers
        .iter()
        .map(|worker| worker.count("failed; to be retried"))
        .sum();
    assert!((1..=batch.size / 3).contains(&on_canary), "{on_canary}");
    until("the roll-back", || {
        let log = site.run(&["modules", "audit", "--json"]).json();
        log[0]["action"] == "rollback"
    });
    let shown = site.run(&["modules", "show", "m", "--json"]).json();
    assert_eq!(
        (shown["active"].as_str(), &shown["canary"]),
        (Some(good.as_str()), &Value::Null)
    );
}

#[test]
fn a_canary_that_holds_is_promoted() {
    let site = fleet();
    let _worker = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    let terms = ["--canary", "50%", "--hold", "500ms", "--min-tasks", "5"];
    deploy(&site, "m", &answering(2), &terms).ok();
    let busy = deploy(&site, "m", &answering(3), &[]);
    let busy = busy.fails(1);
    assert!(busy.contains("is a canary of module \"m\""), "{busy}");
    let promoted = until_some("a promotion", || {
        let batch = Batch { size: 40 };
        batch.enqueue(&site, |_| json!({ "name": "m.answer" }));
        Batch::until_empty(&site);
        let shown = site.run(&["modules", "show", "m", "--json"]).json();
        shown["canary"].is_null().then_some(shown)
    });
    assert_eq!(promoted["history"][1]["how"], "promote");
    assert_eq!(answer(&site, &["m.answer"]), 2);
}
