//! Text and names that strangers have written: guests, producers, whoever can write to the registry. None of it controls a
//! terminal or becomes code.
//!
//! Must not know where the program cleans it.

use std::io::Cursor;

use chicory_testing::components::{answering, assemble};
use chicory_testing::{RedisServer, Site};
use minisign::KeyPair;
use serde_json::Value;

use crate::versions::{deploy, write};

const RECORDS: &str = "chicory:registry:records";
/// An escape sequence, a character that turns text around, a sequence that some terminals take as well.
const HARMFUL: [char; 4] = ['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}'];
const HOSTILE: &str = "a\u{1b}[31mb\u{202e}c\u{9b}2J\u{7}";

fn site() -> Site {
    let site = Site::on(RedisServer::start());
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

/// Runs a command as a person and as a program would, and checks what it writes. Its JSON has the text all the same.
fn shown(site: &Site, args: &[&str]) -> (String, String) {
    let run = |args: &[&str]| {
        let ran = site.run(args);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!text.contains(HARMFUL), "{args:?}: {text:?}");
        assert!(!text.contains("panicked"), "{args:?}: {text:?}");
        text
    };
    (run(args), run(&[args, &["--json"]].concat()))
}

/// Queues this entry by hand.
fn add(site: &Site, queue: &str, entry: &Value, id: &str) {
    let stream = format!("chicory:stream:{queue}");
    let data = entry.to_string();
    let _: String = site
        .redis
        .query(&["XADD", &stream, "*", "data", &data, "task_id", id]);
}

/// Case M13: a module whose import's name has escape sequences, a task name that turns text around.
#[test]
fn m13_text_of_strangers_does_not_control_the_terminal() {
    let site = site();
    let odd = HOSTILE.escape_unicode();
    let imports = format!(
        r#"(module (import "wasi_snapshot_preview1" "{odd}" (func)) (import "{odd}" "f" (func)) (memory (export "memory") 1) (func (export "_start")))"#
    );
    site.write("odd.wasm", assemble(&imports));
    let name = format!("m.{HOSTILE}");
    let id = "0198c0de-0000-7000-8000-000000000001";
    let entry = serde_json::json!({ "id": id, "name": name, "args": [HOSTILE], "kwargs": { HOSTILE: HOSTILE } });
    add(&site, "default", &entry, id);
    let worker = site.worker(&[]);
    let ended = site.wait_for(id);
    assert!(
        ended["error"]
            .as_str()
            .expect("a text")
            .starts_with("TaskNotFound"),
        "{ended}"
    );
    add(&site, "other", &entry, id);
    let dead: Value = site.run(&["dlq", "list", "--json"]).json();
    assert!(
        dead.to_string().contains("\u{202e}"),
        "JSON keeps the text: {dead}"
    );
    for args in [
        &["inspect", "odd.wasm"][..],
        &["deploy", "odd.wasm"],
        &["run", "odd.wasm", "run"],
        &["run", "odd.wasm", HOSTILE],
        &["queue", "list"],
        &["queue", "show", "other"],
        &["queue", "show", "default"],
        &["queue", "show", HOSTILE],
        &["dlq", "list"],
        &["dlq", "show", id],
        &["dlq", "replay", HOSTILE],
        &["result", id],
        &["result", HOSTILE],
        &["workers"],
        &["modules", "show", HOSTILE],
        &["modules", "audit"],
        &["enqueue", HOSTILE, "--validation", "strict"],
        &["client", HOSTILE],
        &["rollback", HOSTILE],
    ] {
        shown(&site, args);
    }
    drop(worker);
}

/// Case M13: what whoever can write to the server puts into a record, a heartbeat or the audit log.
#[test]
fn m13_text_of_the_server_does_not_control_the_terminal() {
    let site = site();
    deploy(&site, "m", &answering(1), &[]).ok();
    let record: String = site.redis.query(&["HGET", RECORDS, "m"]);
    let mut record: Value = serde_json::from_str(&record).expect("JSON");
    record["versions"][0]["deployed_by"] = HOSTILE.into();
    record["versions"][0]["version"] = HOSTILE.into();
    record["history"][0]["by"] = HOSTILE.into();
    let _: u32 = site
        .redis
        .query(&["HSET", RECORDS, "m", &record.to_string()]);
    let bad = format!("bad{HOSTILE}");
    let _: u32 = site.redis.query(&["HSET", RECORDS, &bad, HOSTILE]);
    let _: u32 = site
        .redis
        .query(&["ZADD", "chicory:registry:revisions", "9", &bad]);
    let line = format!("{{\"at\":\"{HOSTILE}\"}}");
    let _: String = site
        .redis
        .query(&["XADD", "chicory:registry:audit", "*", "entry", &line]);
    for args in [
        &["modules"][..],
        &["modules", "show", "m"],
        &["modules", "history", "m"],
    ] {
        let (text, json) = shown(&site, args);
        assert!(text.contains("abc"), "{args:?}: {text}");
        assert!(json.contains("\\u202e"), "{args:?}: {json}");
    }
    let (text, _) = shown(&site, &["modules", "audit"]);
    assert!(text.contains("unreadable"), "{text}");
    let (text, _) = shown(&site, &["modules", "show", &bad]);
    assert!(text.contains("can't be read"), "{text}");
}

/// Case M12: names in a record that would become code.
#[test]
fn m12_names_of_a_record_do_not_become_code() {
    let site = site();
    deploy(&site, "m", &answering(1), &[]).ok();
    let good: String = site.redis.query(&["HGET", RECORDS, "m"]);
    assert!(site.run(&["client", "m"]).ok().contains("pub fn answer()"));
    let code = "x`\n}\nconst X: &str = include_str!(\"/etc/passwd\");\n/// `";
    let spoil = |change: &dyn Fn(&mut Value)| {
        let mut record: Value = serde_json::from_str(&good).expect("JSON");
        change(&mut record["versions"][0]["tasks"]);
        let _: u32 = site
            .redis
            .query(&["HSET", RECORDS, "m", &record.to_string()]);
        let refused = site.run(&["client", "m"]);
        let said = refused.fails(1);
        assert!(said.contains("can't be a"), "{said}");
        assert!(!refused.stdout.contains("include_str"), "{refused:?}");
    };
    spoil(&|tasks| tasks[code] = tasks["answer"].clone());
    spoil(&|tasks| tasks["answer"]["params"] = serde_json::json!([{ "name": code, "type": "u8" }]));
    spoil(&|tasks| {
        tasks["answer"]["result"] =
            serde_json::json!({ "record": [{ "name": code, "type": "u8" }] });
    });
    spoil(&|tasks| tasks["answer"]["result"] = serde_json::json!({ "enum": ["a", code] }));
}

/// Case M12: where modules must be signed, a client is written only for what is signed.
#[test]
fn m12_a_client_is_written_for_trusted_modules_only() {
    let pair = KeyPair::generate_unencrypted_keypair().expect("there are random numbers");
    let site = site();
    write(&site, "m", &answering(1), "");
    deploy(&site, "open", &answering(1), &[]).ok();
    site.run(&["bundle", "m.wasm", "--output", "b.wasm"]).ok();
    let bytes = std::fs::read(site.path("b.wasm")).expect("it is there");
    let signed = minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None);
    site.write(
        "b.wasm.minisig",
        signed.expect("it can be signed").to_string(),
    );
    let keys = format!("*={}", pair.pk.to_base64());
    let site = site.set("CHICORY_TRUST_KEYS", &keys);
    for unsigned in ["open", "open.wasm", "m.wasm"] {
        let refused = site.run(&["client", unsigned]);
        assert!(refused.fails(1).contains("it is not signed"), "{refused:?}");
    }
    assert!(
        site.run(&["client", "b.wasm"])
            .ok()
            .contains("pub fn answer")
    );
    site.run(&["deploy", "b.wasm", "--bundled"]).ok();
    // The registry's word doesn't count: the signature covers the bytes only.
    let record: String = site.redis.query(&["HGET", RECORDS, "m"]);
    let mut record: Value = serde_json::from_str(&record).expect("JSON");
    let tasks = &mut record["versions"][0]["tasks"];
    tasks["forged"] = tasks["answer"].clone();
    let _: u32 = site
        .redis
        .query(&["HSET", RECORDS, "m", &record.to_string()]);
    let source = site.run(&["client", "m"]).ok().to_owned();
    assert!(
        source.contains("pub fn answer") && !source.contains("forged"),
        "{source}"
    );
}

/// The reason is the format, not a missing name.
#[test]
fn the_text_format_is_refused_with_what_to_do() {
    let site = site();
    site.write("m.wat", answering(1));
    let refused = site.run(&["deploy", "m.wat"]);
    let said = refused.fails(2);
    assert!(
        said.contains("text format") && said.contains("wasm-tools parse"),
        "{said}"
    );
    site.write("m.wasm", "#!/bin/sh");
    let refused = site.run(&["deploy", "m.wasm"]);
    assert!(refused.fails(2).contains("not WebAssembly"), "{refused:?}");
}
