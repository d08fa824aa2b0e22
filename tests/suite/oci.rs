//! Modules that come from an OCI registry: pushed, deployed, and what is refused.
//!
//! Must not know the registry's protocol.

use std::fs;

use chicory_testing::Site;
use chicory_testing::components::{answering, assemble};
use serde_json::{Value, json};

use crate::oci_registry::{BOB_IN_DOCKER, OciRegistry};
use crate::versions::write;

fn site() -> Site {
    let site = Site::new();
    fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

/// Pushes the module that answers this number; the address with its digest.
fn push(site: &Site, number: u32, to: &str) -> String {
    write(
        site,
        "m",
        &answering(number),
        &format!("version = \"{number}\""),
    );
    site.run(&["push", "m.wasm", to]).ok().to_owned()
}

fn answer(site: &Site, task: &str) -> Value {
    site.call(&[task])["result"].clone()
}

#[test]
fn a_module_is_pushed_and_deployed_by_tag_and_by_digest() {
    let (site, registry) = (site(), OciRegistry::start());
    let _worker = site.worker(&[]);
    let tagged = registry.address("team/resize:stable");
    let first = push(&site, 1, &tagged);
    assert!(first.starts_with(&format!("{tagged}@sha256:")), "{first}");
    assert_eq!(
        push(&site, 1, &tagged),
        first,
        "the same content has the same digest"
    );
    site.run(&["deploy", &tagged]).ok();
    assert_eq!(answer(&site, "resize.answer"), 1);
    push(&site, 2, &tagged);
    site.run(&["deploy", &tagged]).ok();
    assert_eq!(answer(&site, "resize.answer"), 2);
    // The tag has moved, the digest hasn't.
    let (_, digest) = first.split_once('@').expect("it names a digest");
    let pinned = registry.address(&format!("team/resize@{digest}"));
    site.run(&["deploy", &pinned]).ok();
    assert_eq!(answer(&site, "resize.answer"), 1);
    let history = site.run(&["modules", "history", "resize", "--json"]).json();
    assert_eq!(history[0]["source"], pinned);
    let source = history[1]["source"].as_str().unwrap_or_default();
    assert!(
        source.starts_with(&format!("{tagged}@sha256:")),
        "{history}"
    );
    assert_eq!(history[0]["version"], "1");
    assert_eq!(
        site.run(&["inspect", &pinned, "--json"]).json()["name"],
        "resize"
    );
    assert_eq!(site.run(&["run", &tagged, "answer"]).ok(), "2");
}

#[test]
fn what_is_not_there_or_no_module_is_said() {
    let (site, mut registry) = (site(), OciRegistry::start());
    push(&site, 1, &registry.address("m:1"));
    let refused = |address: &str, code: i32, words: &[&str]| {
        let ran = site.run(&["inspect", address]);
        let said = ran.fails(code);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    refused(&registry.address("m:2"), 1, &["m:2 (404)", "chicory push"]);
    refused("oci://m", 2, &["oci://HOST"]);
    let wasm = fs::read(site.path("m.wasm")).expect("it was written");
    let digest = format!("sha256:{}", chicory_worker::digest(&wasm));
    let descriptor =
        json!({ "mediaType": "application/x-tar", "digest": digest, "size": wasm.len() });
    let tar = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor, "layers": [descriptor],
    });
    registry.put_manifest("m", "tar", &tar.to_string());
    refused(
        &registry.address("m:tar"),
        2,
        &["not a WebAssembly artifact", "application/x-tar"],
    );
    // Somebody changes the bytes on the registry's disk.
    let other = assemble(&answering(2));
    fs::write(registry.blob(&wasm), other).expect("it can be written");
    refused(
        &registry.address("m:1"),
        1,
        &["damaged or modified", &registry.host()],
    );
    registry.stop();
    refused(
        &registry.address("m:1"),
        1,
        &["can't reach the registry", &registry.host()],
    );
}

#[test]
fn a_registry_is_told_who_asks() {
    let (site, registry) = (site(), OciRegistry::with_password());
    let address = registry.address("m:1");
    write(&site, "m", &answering(1), "");
    fs::create_dir(site.path(".docker")).expect("a new folder");
    let nobody = site.run(&["push", "m.wasm", &address]);
    assert!(
        nobody.fails(1).contains("without credentials (401)"),
        "{nobody:?}"
    );
    let log_in = |auth: &str| {
        let config = json!({ "auths": { registry.host(): { "auth": auth } } });
        site.write(".docker/config.json", config.to_string());
    };
    // bob:wrong
    log_in("Ym9iOndyb25n");
    let wrong = site.run(&["push", "m.wasm", &address]);
    let said = wrong.fails(1);
    assert!(
        said.contains("as \"bob\" (401)") && !said.contains("wrong"),
        "{said}"
    );
    log_in(BOB_IN_DOCKER);
    site.run(&["push", "m.wasm", &address]).ok();
    assert_eq!(site.run(&["run", &address, "answer"]).ok(), "1");
}
