//! Tenants through the program: what each has is its own, and a queue that they share is shared fairly.
//!
//! Must not know how shares are computed.

use chicory_testing::components::answering;
use chicory_testing::{Ran, Site, guest, until};
use redis::Commands as _;
use serde_json::{Value, json};

use crate::versions::write;

/// A site with these tenants, and a worker that only has what is deployed.
fn fleet(tenants: &[&str]) -> Site {
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    for tenant in tenants {
        site.run(&["tenant", "create", tenant]).ok();
    }
    site
}

/// Runs a command for a tenant.
fn of(site: &Site, tenant: &str, args: &[&str]) -> Ran {
    site.run(&[args, &["--tenant", tenant]].concat())
}

fn deploy(site: &Site, tenant: &str, module: &str, text: &str) {
    write(site, module, text, "");
    of(site, tenant, &["deploy", &format!("{module}.wasm")]).ok();
}

fn enqueue(site: &Site, tenant: &str, args: &[&str]) -> String {
    let ran = of(site, tenant, &[&["enqueue"], args].concat());
    ran.ok().trim().to_owned()
}

/// How a task of a tenant has failed.
fn failure(site: &Site, tenant: &str, id: &str) -> String {
    let ran = of(site, tenant, &["result", id, "--wait", "--json"]);
    ran.fails(1);
    let ended = chicory_testing::json(&ran.stdout);
    ended["error"].as_str().expect("it failed").to_owned()
}

fn result(site: &Site, tenant: &str, id: &str) -> Value {
    of(site, tenant, &["result", id, "--wait", "--json"]).json()["result"].clone()
}

/// Two tenants deploy different code under one name, and use one id in one queue: each meets its own.
#[test]
fn tenants_meet_only_what_is_theirs() {
    let site = fleet(&["acme", "other"]);
    let worker = site.worker(&[]);
    site.known_worker();
    deploy(&site, "acme", "shop", &answering(1));
    deploy(&site, "other", "shop", &answering(2));
    deploy(&site, "acme", "own", &answering(3));
    for tenant in ["acme", "other"] {
        enqueue(&site, tenant, &["shop.answer", "--id", "order-1"]);
    }
    assert_eq!(result(&site, "acme", "order-1"), 1);
    assert_eq!(result(&site, "other", "order-1"), 2);
    site.run(&["result", "order-1"]).fails(4);

    // Neither can reach the other's task, or see that there is one.
    let id = enqueue(&site, "other", &["own.answer", "--max-retries", "0"]);
    let error = failure(&site, "other", &id);
    assert!(error.starts_with("TaskNotFound"), "{error}");
    assert!(!error.contains("own\""), "{error}");
    let listed = of(&site, "other", &["modules", "--json"]).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let dead = of(&site, "other", &["dlq", "list", "--json"]).json();
    assert_eq!(dead.as_array().map(Vec::len), Some(1), "{dead}");
    assert_eq!(
        of(&site, "acme", &["dlq", "list", "--json"]).json(),
        json!([])
    );
    assert_eq!(site.run(&["dlq", "list", "--json"]).json(), json!([]));
    drop(worker);
}

/// Guests see whose task they run; those of the default tenant see nobody.
#[test]
fn a_guest_sees_its_tenant() {
    let site = fleet(&["acme"]);
    let _worker = site.worker(&[]);
    site.known_worker();
    site.write(
        "context.wasm",
        std::fs::read(guest("context")).expect("a guest"),
    );
    for (tenant, seen) in [("acme", json!("acme")), ("default", Value::Null)] {
        of(&site, tenant, &["deploy", "context.wasm"]).ok();
        let id = enqueue(&site, tenant, &["context.show"]);
        assert_eq!(result(&site, tenant, &id)["tenant"], seen);
    }
}

/// A module of the default tenant is no tenant's, and what is in its stream can't say that it is a tenant's.
#[test]
fn the_default_tenant_is_one_of_them() {
    let site = fleet(&["acme"]);
    let _worker = site.worker(&[]);
    site.known_worker();
    deploy(&site, "default", "shop", &answering(7));
    let id = enqueue(&site, "acme", &["shop.answer", "--max-retries", "0"]);
    let error = failure(&site, "acme", &id);
    assert!(error.contains("there is none"), "{error}");
    let message = json!({ "id": "forged", "name": "shop.answer", "args": [], "kwargs": {}, "tenant": "acme" });
    let _: String = redis::cmd("XADD")
        .arg("chicory:stream:default")
        .arg("*")
        .arg("data")
        .arg(message.to_string())
        .arg("task_id")
        .arg("forged")
        .arg("tenant")
        .arg("acme")
        .query(&mut site.connection())
        .expect("it is added");
    assert_eq!(site.wait_for("forged")["result"], 7);
    of(&site, "acme", &["result", "forged"]).fails(4);
}

/// In the order in which the tasks ended, the small tenant's is among the first.
#[test]
fn a_flood_of_one_tenant_delays_no_other() {
    let site = fleet(&["flood", "small"]);
    deploy(&site, "flood", "shop", &answering(1));
    deploy(&site, "small", "shop", &answering(2));
    let messages =
        (0..3000).map(|number| json!({ "name": "shop.answer", "id": format!("f{number}") }));
    let messages: Vec<String> = messages.map(|message| message.to_string()).collect();
    site.write("flood.jsonl", messages.join("\n"));
    of(&site, "flood", &["enqueue", "--file", "flood.jsonl"]).ok();
    enqueue(&site, "small", &["shop.answer", "--id", "s"]);
    let worker = site.worker(&["--concurrency", "8"]);
    assert_eq!(result(&site, "small", "s"), 2);
    let before = worker.tasks("completed");
    let place = before.iter().position(|id| id == "s");
    let place = place.unwrap_or(before.len());
    assert!(place <= 13, "{place} others went before");
    until("all have ended", || {
        of(&site, "flood", &["queue", "list", "--json"]).json() == json!([])
            || of(&site, "flood", &["queue", "show", "--json"]).json()["size"] == 0
    });
}

/// Its messages are kept, new ones are refused with the reason, others go on; then it goes on.
#[test]
fn a_suspended_tenant_waits() {
    let site = fleet(&["acme", "other"]);
    deploy(&site, "acme", "shop", &answering(1));
    deploy(&site, "other", "shop", &answering(2));
    let shown = site.run(&["tenant", "suspend", "acme", "--reason", "unpaid"]);
    assert!(shown.ok().contains("suspended tenant acme"));
    let refused = of(&site, "acme", &["enqueue", "shop.answer"]);
    let said = refused.fails(1);
    assert!(
        said.contains("TenantSuspended") && said.contains("unpaid"),
        "{said}"
    );
    site.run(&["tenant", "resume", "acme"]).ok();
    let first = enqueue(&site, "acme", &["shop.answer"]);
    let second = enqueue(&site, "acme", &["shop.answer"]);
    site.run(&["tenant", "suspend", "acme"]).ok();
    let worker = site.worker(&[]);
    let others = enqueue(&site, "other", &["shop.answer"]);
    assert_eq!(result(&site, "other", &others), 2);
    // The first was admitted before the tenant was suspended.
    assert_eq!(result(&site, "acme", &first), 1);
    of(&site, "acme", &["result", &second]).fails(4);
    let listed = site.run(&["tenant", "list"]);
    assert!(
        listed.ok().contains("suspended: suspended by an operator"),
        "{listed:?}"
    );
    site.run(&["tenant", "resume", "acme"]).ok();
    assert_eq!(result(&site, "acme", &second), 1);
    drop(worker);
}

/// And nothing of it is left on the server.
#[test]
fn a_deleted_tenant_leaves_nothing() {
    let site = fleet(&["acme", "other"]);
    deploy(&site, "acme", "shop", &answering(1));
    deploy(&site, "other", "shop", &answering(1));
    let done = enqueue(&site, "acme", &["shop.answer"]);
    let mut worker = site.worker(&[]);
    assert_eq!(result(&site, "acme", &done), 1);
    worker.stop();
    enqueue(&site, "acme", &["shop.answer"]);
    enqueue(&site, "acme", &["shop.answer", "--delay", "3600"]);
    let kept = enqueue(&site, "other", &["shop.answer"]);
    site.run(&["tenant", "delete", "acme"]).fails(2);
    let said = site.run(&["tenant", "delete", "acme", "--yes"]);
    assert!(
        said.ok().contains("2 messages, 0 dead letters, 1 modules"),
        "{said:?}"
    );
    let left: Vec<String> = (site.connection().keys("*acme*")).expect("keys");
    assert_eq!(left, Vec::<String>::new());
    let refused = of(&site, "acme", &["enqueue", "shop.answer"]);
    assert!(
        refused.fails(1).contains("there is no tenant acme"),
        "{refused:?}"
    );
    // The bytes were the other tenant's as well.
    let _worker = site.worker(&[]);
    assert_eq!(result(&site, "other", &kept), 1);
}

/// It is named, hides no other tenant, and can be created again.
#[test]
fn a_tenants_record_that_cannot_be_read_is_put_aside() {
    let site = fleet(&["acme", "bad"]);
    for broken in ["{", "7", r#"{"name":"acme","revision":1}"#] {
        let _: u32 = (site.connection())
            .hset("chicory:tenants", "bad", broken)
            .expect("the server answers");
        let listed = site.run(&["tenant", "list"]);
        assert!(
            listed.ok().contains("acme") && !listed.stdout.contains("bad"),
            "{listed:?}"
        );
        assert!(listed.stderr.contains("the record of tenant"), "{listed:?}");
        let refused = of(&site, "bad", &["queue", "list"]);
        assert!(
            refused.fails(2).contains("the record of tenant"),
            "{refused:?}"
        );
    }
    let _: u32 = (site.connection())
        .hset("chicory:tenants", "bad", "{")
        .expect("the server answers");
    site.run(&["tenant", "create", "bad"]).ok();
    of(&site, "bad", &["enqueue", "shop.answer"]).ok();
}

/// Each with what is allowed; the default tenant needs no set-up.
#[test]
fn names_and_numbers_of_tenants_are_checked() {
    let site = fleet(&["acme"]);
    for name in ["Acme", "a.b", "-a", "", "a/b"] {
        let refused = site.run(&["tenant", "create", "--", name]);
        assert!(refused.fails(2).contains("a to z"), "{refused:?}");
        let refused = site.run(&["queue", "list", &format!("--tenant={name}")]);
        if !name.is_empty() {
            assert!(refused.fails(2).contains("a to z"), "{refused:?}");
        }
    }
    assert!(
        site.run(&["tenant", "create", "acme"])
            .fails(1)
            .contains("already")
    );
    assert!(
        site.run(&["tenant", "create", "default"])
            .fails(1)
            .contains("already")
    );
    let refused = site.run(&["tenant", "set", "acme", "--weight", "0"]);
    assert!(refused.fails(2).contains("from 1 to 1000"), "{refused:?}");
    let refused = site.run(&["tenant", "set", "nobody", "--weight", "2"]);
    assert!(refused.fails(1).contains("there are: acme"), "{refused:?}");
    let refused = site.run(&["tenant", "delete", "default", "--yes"]);
    assert!(refused.fails(1).contains("can't be deleted"), "{refused:?}");
    site.run(&[
        "tenant",
        "set",
        "acme",
        "--weight",
        "4",
        "--max-queued",
        "1",
    ])
    .ok();
    enqueue(&site, "acme", &["shop.answer"]);
    let full = of(&site, "acme", &["enqueue", "shop.answer"]);
    assert!(
        full.fails(1).contains("QueueFull: tenant acme has 1"),
        "{full:?}"
    );
    let shown = site.run(&["tenant", "show", "acme"]);
    assert!(
        shown.ok().contains("weight 4, messages per queue: 1"),
        "{shown:?}"
    );
    enqueue(&site, "default", &["shop.answer"]);
    assert_eq!(site.run(&["queue", "show", "--json"]).json()["size"], 1);
    // The variable says the same as the flag.
    let mut command = site.command(&["queue", "show", "--json"]);
    command.env("CHICORY_TENANT", "acme");
    assert_eq!(Ran::of(command, b"").json()["ready"], 0);
}
