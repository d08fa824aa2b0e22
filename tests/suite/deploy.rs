//! A fleet gets new code: deploys, roll-backs and canaries, on running workers.
//!
//! Must not know how a roll-out goes inside.

use redis::Commands as _;
use serde_json::{Value, json};

use crate::batch::Batch;
use crate::site::Site;

use crate::versions::{answering, deploy, measuring, multiplying};

/// A site whose workers have nothing but what is deployed.
fn fleet() -> Site {
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

/// What a task returns on a worker that is there.
fn answer(site: &Site, args: &[&str]) -> Value {
    let args: Vec<&str> = ["enqueue"].iter().chain(args).copied().collect();
    let id = site.run(&args).ok().to_owned();
    site.wait_for(&id)["result"].clone()
}

fn digest(ran: &crate::ran::Ran) -> String {
    ran.json()["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_running_worker_gets_new_code_and_the_old_back() {
    let site = fleet();
    let worker = site.worker(&[]);
    worker.line("no module yet");
    let first = deploy(&site, "m", &answering(1), &["--version", "1", "--json"]).json();
    assert_eq!(
        (&first["state"], &first["workers"]),
        (&json!("active"), &json!(1))
    );
    assert_eq!(answer(&site, &["m.answer"]), 1);
    deploy(&site, "m", &answering(2), &[]).ok();
    assert_eq!(answer(&site, &["m.answer"]), 2);
    let again = deploy(&site, "m", &answering(2), &[]);
    assert!(again.ok().contains("is active already"), "{again:?}");
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
        // What is queued by now runs on the version before or on this one, and runs.
        let before = Batch { size: 500 };
        before.enqueue(&site, |_| json!({ "name": "m.answer" }));
        deploy(&site, "m", &answering(version), &[]).ok();
        let after = site.run(&["enqueue", "m.answer"]).ok().to_owned();
        assert_eq!(site.wait_for(&after)["result"], version);
        Batch::until_empty(&site);
        let mut redis = site.connection();
        for number in 0..before.size {
            let stored: String = redis
                .get(format!("chicory:result:{}", Batch::id(number)))
                .expect("each task has a result");
            let result = crate::ran::json(&stored)["result"].clone();
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
    // Wider types break nothing.
    let site = fleet();
    let _worker = site.worker(&[]);
    deploy(&site, "m", &multiplying("u8", 2), &[]).ok();
    deploy(&site, "m", &multiplying("u32", 3), &[]).ok();
    assert_eq!(answer(&site, &["m.double", "1000"]), 3000);
}
