//! Records in the registry that can't be read: each is named and put aside, and all others continue.
//!
//! Must not know how records are read.

use chicory_testing::components::answering;
use chicory_testing::{RedisServer, Site, until};
use serde_json::Value;

use crate::versions::deploy;

const RECORDS: &str = "chicory:registry:records";

fn site() -> Site {
    let site = Site::on(RedisServer::start());
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

/// Puts this in the place of the record of the module `bad`.
fn spoil(site: &Site, record: &[u8]) {
    let mut redis = site.connection();
    let set = redis::cmd("HSET")
        .arg(RECORDS)
        .arg("bad")
        .arg(record)
        .query::<u32>(&mut redis);
    set.expect("the server answers");
}

fn stored(site: &Site) -> String {
    site.redis.query(&["HGET", RECORDS, "bad"])
}

/// The record of `bad`, changed.
fn changed(record: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut record: Value = serde_json::from_str(record).expect("it is JSON");
    change(&mut record);
    record.to_string().into_bytes()
}

/// Records that can't be read, with a part of what is said of each.
fn bad_records(good: &str) -> Vec<(Vec<u8>, &'static str)> {
    let digest = |record: &Value| record["active"].as_str().expect("a digest").to_owned();
    vec![
        (
            changed(good, |record| record["canary"] = 7.into()),
            "it is not a module's record",
        ),
        (b"{".to_vec(), "it is not a module's record"),
        (b"[]".to_vec(), "it is not a module's record"),
        (Vec::new(), "it is not a module's record"),
        (b"{\"name\":\"\xff\xfe\"}".to_vec(), "it is not UTF-8"),
        (vec![b' '; 2 << 20], "it has 2097152 bytes"),
        (
            changed(good, |record| record["name"] = "other".into()),
            "the record is stored for",
        ),
        (
            changed(good, |record| {
                let digest = digest(record);
                record["canary"] = serde_json::json!({
                    "id": "c", "digest": digest, "by": "me", "since": "2026-01-24T10:30:00Z",
                    "terms": { "percent": 1e300, "margin": 1.0, "hold": 1.0, "min_tasks": 1 },
                });
            }),
            "a number from 0 to 100 is allowed",
        ),
        (
            changed(good, |record| {
                record["versions"][0]["digest"] = "../../../etc/x".into();
            }),
            "digest",
        ),
        (
            changed(good, |record| {
                let task = record["versions"][0]["tasks"]["answer"].clone();
                record["versions"][0]["tasks"]["a\nb"] = task;
            }),
            "can't be a task's name",
        ),
    ]
}

/// Case M11: workers serve the other modules, `modules` lists them, and a deploy repairs the record.
#[test]
fn m11_one_record_that_cannot_be_read_leaves_all_others_alone() {
    let site = site();
    deploy(&site, "good", &answering(1), &[]).ok();
    deploy(&site, "bad", &answering(2), &[]).ok();
    for (number, (record, reason)) in bad_records(&stored(&site)).iter().enumerate() {
        spoil(&site, record);
        let mut worker = site.worker(&[]);
        let warned = worker.line_where("a warning", |line| line["module"] == "bad");
        let said = warned["reason"].as_str().expect("a text");
        assert!(said.contains(reason), "{said}: {reason}");
        assert_eq!(site.call(&["good.answer"])["result"], 1);

        let listed = site.run(&["modules", "--json"]);
        let said = listed.fails(1);
        assert!(
            said.contains("bad") && said.contains("modules reset"),
            "{said}"
        );
        let rows: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let states = rows.as_array().expect("a list").iter();
        let states: Vec<_> = states.map(|row| (&row["module"], &row["state"])).collect();
        assert_eq!(states[1], (&"good".into(), &"active".into()));
        assert!(
            states[0].1.to_string().contains("can't be read"),
            "{states:?}"
        );

        let shown = site.run(&["modules", "show", "bad"]);
        let said = shown.fails(1);
        assert!(
            said.contains(reason) && said.contains("deploy the module again"),
            "{said}"
        );
        site.run(&["workers"]).ok();
        site.run(&["enqueue", "bad.answer"]).ok();
        let strict = site.run(&["enqueue", "bad.answer", "--validation", "strict"]);
        assert!(strict.fails(2).contains("can't be read"), "{strict:?}");

        // A deploy repairs it.
        let number = u32::try_from(number).expect("a few") + 10;
        deploy(&site, "bad", &answering(number), &[]).ok();
        assert_eq!(site.call(&["bad.answer"])["result"], number);
        site.run(&["modules"]).ok();
        let audit = site.run(&["modules", "audit"]);
        assert!(audit.ok().contains("replaces a record"), "{audit:?}");
        worker.stop();
    }
    // Another module can be deployed beside it.
    spoil(&site, b"{}");
    deploy(&site, "third", &answering(3), &[]).ok();
}

/// Case M11: a worker that has served a module continues with what it has.
#[test]
fn m11_a_worker_keeps_the_version_whose_record_was_spoilt() {
    let site = site();
    let worker = site.worker(&[]);
    deploy(&site, "bad", &answering(2), &[]).ok();
    assert_eq!(site.call(&["bad.answer"])["result"], 2);
    let good = stored(&site);
    spoil(&site, b"{}");
    let mut redis = site.connection();
    // As whoever wrote it would, so that workers look.
    redis::cmd("INCR")
        .arg("chicory:registry:revision")
        .exec(&mut redis)
        .expect("the server answers");
    redis::cmd("ZADD")
        .arg("chicory:registry:revisions")
        .arg(1_000)
        .arg("bad")
        .exec(&mut redis)
        .expect("the server answers");
    redis::cmd("PUBLISH")
        .arg("chicory:registry:changed")
        .arg(1)
        .exec(&mut redis)
        .expect("the server answers");
    worker.line_where("a warning", |line| {
        line["module"] == "bad" && line["reason"].is_string()
    });
    assert_eq!(site.call(&["bad.answer"])["result"], 2);
    assert!(good.contains("\"format\":1"), "{good}");
}

/// A worker that can't read a module's record leaves the module's messages for one that can, and charges them nothing.
#[test]
fn messages_of_a_newer_record_wait_for_a_newer_worker() {
    let site = site();
    deploy(&site, "bad", &answering(2), &[]).ok();
    let good = stored(&site);
    spoil(&site, &changed(&good, |record| record["format"] = 2.into()));
    let older = site.worker(&[]);
    let id = site.enqueue(&["bad.answer", "--max-retries", "0"]);
    let shown = || site.run(&["queue", "show", "--json"]).json();
    until("the message waits", || shown()["delayed"] == 1);
    assert_eq!(shown()["dead"], 0);
    assert_eq!(shown()["delayed_list"][0]["message"]["retries"], 0);
    // Here a worker that can read it is one that starts when the record is as it was.
    spoil(&site, good.as_bytes());
    let _newer = site.worker(&[]);
    drop(older);
    assert_eq!(site.wait_for(&id)["result"], 2);
}

/// Case M11: a record of a newer Chicory is left as it is, and a reset mends all others.
#[test]
fn m11_a_newer_record_is_left_alone_and_others_can_be_reset() {
    let site = site();
    deploy(&site, "bad", &answering(2), &[]).ok();
    let newer = changed(&stored(&site), |record| record["format"] = 2.into());
    spoil(&site, &newer);
    for refused in [
        deploy(&site, "bad", &answering(3), &[]),
        site.run(&["modules", "reset", "bad", "--yes"]),
        site.run(&["rollback", "bad"]),
    ] {
        let said = refused.fails(1);
        assert!(
            said.contains("format 2") && said.contains("upgrade"),
            "{said}"
        );
    }
    assert_eq!(stored(&site).into_bytes(), newer);

    spoil(&site, b"{}");
    let refused = site.run(&["rollback", "bad"]);
    assert!(
        refused.fails(1).contains("modules reset bad"),
        "{refused:?}"
    );
    site.run(&["modules", "reset", "bad", "--yes"]).ok();
    site.run(&["modules"]).ok();
    let again = site.run(&["modules", "reset", "bad", "--yes"]);
    assert!(again.fails(1).contains("nothing to reset"), "{again:?}");
    deploy(&site, "bad", &answering(3), &[]).ok();
    let _worker = site.worker(&[]);
    assert_eq!(site.call(&["bad.answer"])["result"], 3);
}

/// Case M11: a key of another type is named; nothing hangs.
#[test]
fn m11_a_key_of_another_type_is_named() {
    let site = site();
    let _: String = site.redis.query(&["SET", RECORDS, "x"]);
    let _: u32 = site
        .redis
        .query(&["ZADD", "chicory:registry:revisions", "1", "m"]);
    let _: u32 = site.redis.query(&["INCR", "chicory:registry:revision"]);
    let listed = site.run(&["modules"]);
    assert!(listed.fails(2).contains("WRONGTYPE"), "{listed:?}");
    let refused = deploy(&site, "m", &answering(1), &[]);
    assert!(refused.fails(2).contains("WRONGTYPE"), "{refused:?}");
    let _: u32 = site
        .redis
        .query(&["DEL", RECORDS, "chicory:registry:revisions"]);
    deploy(&site, "m", &answering(1), &[]).ok();
    until("a module", || site.run(&["modules"]).ok().contains('m'));
}
