//! Whose modules a worker runs, and how it treats modules that were changed on the way.
//!
//! Must not know how a signature is checked.

use std::io::Cursor;
use std::path::PathBuf;

use chicory_testing::components::{answering, assemble};
use chicory_testing::{Site, until};
use minisign::KeyPair;
use redis::Commands as _;

use crate::versions::{deploy, write};

const BY: &str = "CHICORY_TRUST_KEYS";

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().expect("there are random numbers")
}

fn site(keys: &[(&str, &KeyPair)], required: bool) -> Site {
    let pairs: Vec<_> = keys
        .iter()
        .map(|(name, pair)| format!("{name}={}", pair.pk.to_base64()))
        .collect();
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    let cache = site.path("cache").display().to_string();
    site.set(BY, &pairs.join(","))
        .set("CHICORY_TRUST_REQUIRED", &required.to_string())
        .set("CHICORY_WORKER_CACHE_DIR", &cache)
}

/// Writes the signature that this key gives the file.
fn sign(file: &PathBuf, pair: &KeyPair) {
    let bytes = std::fs::read(file).expect("it is there");
    let signed = minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None);
    let mut beside = file.clone().into_os_string();
    beside.push(".minisig");
    std::fs::write(beside, signed.expect("it can be signed").to_string())
        .expect("it can be written");
}

/// A bundle of the module `m` that this key has signed.
fn signed_bundle(site: &Site, number: u32, pair: &KeyPair) {
    write(site, "m", &answering(number), "");
    site.run(&["bundle", "m.wasm", "--output", "b.wasm"]).ok();
    sign(&site.path("b.wasm"), pair);
}

#[test]
fn what_no_trusted_key_has_signed_is_not_run() {
    let (trusted, other) = (key(), key());
    let site = site(&[("m", &trusted)], true);
    let _worker = site.worker(&[]);
    let unsigned = deploy(&site, "m", &answering(1), &[]);
    assert!(
        unsigned.fails(1).contains("it is not signed"),
        "{unsigned:?}"
    );
    signed_bundle(&site, 1, &other);
    let foreign = site.run(&["deploy", "b.wasm", "--bundled"]);
    let reason = foreign.fails(1);
    assert!(
        reason.contains("not made with a key that is trusted for module \"m\""),
        "{reason}"
    );
    assert!(reason.contains("the previous version stays"), "{reason}");
    signed_bundle(&site, 1, &trusted);
    let inside = site.run(&["deploy", "b.wasm"]);
    assert!(inside.fails(2).contains("--bundled"), "{inside:?}");
    site.run(&["deploy", "b.wasm", "--bundled"]).ok();
    assert_eq!(site.call(&["m.answer"])["result"], 1);
    // Without a key for its name a module never runs, whoever signed it.
    let nobody = deploy(&site, "n", &answering(1), &[]);
    assert!(
        nobody
            .fails(1)
            .contains("no key is trusted for module \"n\""),
        "{nobody:?}"
    );
}

#[test]
fn a_key_for_some_names_leaves_others_alone() {
    let trusted = key();
    let site = site(&[("acme.*", &trusted)], false);
    let _worker = site.worker(&[]);
    deploy(&site, "other", &answering(1), &[]).ok();
    for name in ["acme.tools", "Acme.Tools"] {
        let unsigned = deploy(&site, "ours", &answering(1), &["--name", name]);
        assert!(
            unsigned.fails(1).contains("it is not signed"),
            "{unsigned:?}"
        );
    }
}

#[test]
fn a_pattern_that_no_module_can_match_is_wrong_configuration() {
    let site = site(&[("acme.*.tools", &key())], false);
    let refused = site.run(&["worker"]);
    assert!(refused.fails(2).contains("\"acme.*.tools\""), "{refused:?}");
}

#[test]
fn a_folder_is_no_way_around() {
    let trusted = key();
    let site = site(&[("m", &trusted)], true);
    std::fs::create_dir(site.modules()).expect("a new folder");
    write(&site, "modules/m", &answering(5), "");
    let refused = site.run(&["worker", "--modules", "modules"]);
    assert!(refused.fails(2).contains("it is not signed"), "{refused:?}");
    sign(&site.path("modules/m.wasm"), &trusted);
    let _worker = site.worker(&["--modules", "modules"]);
    assert_eq!(site.call(&["m.answer"])["result"], 5);
}

#[test]
fn a_bundle_says_for_which_module_it_is() {
    let site = site(&[], false);
    let worker = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    // Somebody registers the bytes under another name.
    let mut redis = site.connection();
    let record: String = redis
        .hget("chicory:registry:records", "m")
        .expect("it is there");
    let renamed = record
        .replace("\"name\":\"m\"", "\"name\":\"bank\"")
        .replace("\"revision\":3", "\"revision\":9");
    let _: () = redis
        .hset("chicory:registry:records", "bank", renamed)
        .expect("it is written");
    let _: () = redis
        .zadd("chicory:registry:revisions", "bank", 9)
        .expect("it is written");
    let _: () = redis
        .set("chicory:registry:revision", 9)
        .expect("it is written");
    let _: () = redis
        .publish("chicory:registry:changed", "bank")
        .expect("it is told");
    let failed = site.run(&["enqueue", "bank.answer", "--wait", "--timeout", "60s"]);
    let reason = failed.fails(1);
    assert!(reason.contains("made for the module \"m\""), "{reason}");
    assert_eq!(worker.count("done"), 0);
}

#[test]
fn bytes_that_were_changed_are_refused_and_the_worker_lives_on() {
    let site = site(&[], false);
    let first = site.worker(&[]);
    let digest = deploy(&site, "m", &answering(1), &["--json"]).json()["digest"].clone();
    deploy(&site, "other", &answering(2), &[]).ok();
    drop(first);
    std::fs::remove_dir_all(site.path("cache")).expect("it is there");
    let blob = format!("chicory:blob:{}", digest.as_str().expect("a digest"));
    let mut redis = site.connection();
    let bytes: Vec<u8> = redis.get(&blob).expect("it is there");
    let changed = assemble(&answering(666));
    let _: () = redis.set(&blob, changed).expect("it is written");
    let worker = site.worker(&[]);
    let failed = site.run(&["enqueue", "m.answer", "--wait", "--timeout", "60s"]);
    let reason = failed.fails(1);
    assert!(
        reason.contains("tampered with") && reason.contains("ModuleRefused"),
        "{reason}"
    );
    assert_eq!(site.call(&["other.answer"])["result"], 2);
    // Once repaired it runs again: the refusal leaves nothing behind.
    let _: () = redis.set(&blob, bytes).expect("it is written");
    assert_eq!(site.call(&["m.answer"])["result"], 1);
    // The line comes after the result.
    until("both are said to be done", || worker.count("done") == 2);
}

#[test]
fn a_wrong_key_is_named() {
    let site = Site::new().set(BY, "m=nonsense");
    let refused = site.run(&["worker"]);
    let reason = refused.fails(2);
    assert!(
        reason.contains("\"nonsense\" for \"m\" is not a minisign public key"),
        "{reason}"
    );
}

#[test]
fn code_gives_way_and_comes_back() {
    let site = site(&[], false).set("CHICORY_WORKER_LOADED_CODE", "1");
    let _worker = site.worker(&[]);
    let names = ["a", "b", "c", "d"];
    for (number, name) in (1..).zip(names) {
        deploy(&site, name, &answering(number), &[]).ok();
    }
    for _ in 0..2 {
        for (number, name) in (1..).zip(names) {
            assert_eq!(site.call(&[&format!("{name}.answer")])["result"], number);
        }
    }
}
