//! Modules that export several interfaces of one name: all functions can be called, by full names where short ones
//! are not enough.
//!
//! Must not know how names are compared.

use chicory_testing::{RedisServer, Site};
use serde_json::{Value, json};

use crate::versions::{deploy, write};

/// Interfaces with these names, each with a function `get` that returns its number, counted from 1.
fn interfaces(names: &[&str]) -> String {
    let each = names.iter().zip(1..);
    let parts = each.map(|(name, number)| {
        format!(
            r#"(core module $m{number} (func (export "f") (result i32) i32.const {number}))
               (core instance $i{number} (instantiate $m{number}))
               (func $f{number} (result u32) (canon lift (core func $i{number} "f")))
               (instance $e{number} (export "get" (func $f{number})))
               (export "{name}" (instance $e{number}))"#
        )
    });
    format!("(component {})", parts.collect::<String>())
}

const ALL: [&str; 3] = [
    "acme:store/api@1.0.0",
    "acme:store/api@2.0.0",
    "other:pkg/api",
];

fn site() -> Site {
    let site = Site::on(RedisServer::start());
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

fn result(site: &Site, task: &str) -> Value {
    site.call(&[task, "--validation", "strict"])["result"].clone()
}

/// Case W7: three interfaces of one name, by those who call, check, route, load and describe.
#[test]
fn w7_interfaces_are_told_apart_by_package_and_version() {
    let site = site();
    let _worker = site.worker(&[]);
    deploy(&site, "mv", &interfaces(&ALL), &[]).ok();
    for (interface, number) in ALL.iter().zip(1..) {
        assert_eq!(result(&site, &format!("mv.{interface}.get")), number);
        let ran = site.run(&["run", "mv.wasm", &format!("{interface}.get")]);
        assert_eq!(ran.ok(), number.to_string());
        assert_eq!(
            result(&site, &format!("MV.{}.GET", interface.to_uppercase())),
            number
        );
    }
    // The short name means any of them, and is refused with all of them by everybody.
    let strict = site.run(&["enqueue", "mv.api.get", "--validation", "strict"]);
    let ran = site.run(&["run", "mv.wasm", "api.get"]);
    let on_worker = site.wait_for(site.run(&["enqueue", "mv.api.get"]).ok());
    let texts = [
        strict.fails(2).to_owned(),
        ran.fails(2).to_owned(),
        on_worker["error"].to_string(),
    ];
    for text in texts {
        for interface in ALL {
            assert!(
                text.contains(&format!("{interface}.get")),
                "{interface} in {text}"
            );
        }
    }
    let described = site.run(&["inspect", "mv.wasm", "--json"]).json();
    let names = described["tasks"].as_array().expect("a list").iter();
    let names: Vec<_> = names.map(|task| task["full_name"].clone()).collect();
    assert_eq!(
        names,
        ALL.map(|interface| json!(format!("{interface}.get")))
    );
    let client = site.run(&["client", "mv"]).ok().to_owned();
    assert!(
        client.contains("pub fn acme_store_api_1_0_0_get()"),
        "{client}"
    );
    assert!(
        client.contains("\"mv.acme:store/api@1.0.0.get\""),
        "{client}"
    );
}

/// Case W7: where an interface's name means one, it is enough; `inspect` shows both.
#[test]
fn w7_a_short_name_is_enough_where_it_means_one_task() {
    let site = site();
    write(
        &site,
        "mv",
        &interfaces(&ALL[..1]),
        "[tasks.\"api.get\".limits]\ntimeout = 2",
    );
    let shown = site.run(&["inspect", "mv.wasm"]).ok().to_owned();
    for part in [
        "api.get: func() -> u32",
        "full name: acme:store/api@1.0.0.get",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let _worker = site.worker(&[]);
    site.run(&["deploy", "mv.wasm"]).ok();
    for name in ["mv.api.get", "mv.acme:store/api@1.0.0.get"] {
        assert_eq!(result(&site, name), 1);
    }
    assert!(
        site.run(&["modules", "show", "mv"])
            .ok()
            .contains("mv.api.get: func")
    );
    assert!(
        site.run(&["client", "mv"])
            .ok()
            .contains("pub fn api_get()")
    );
    // A new version of the interface keeps the short name; a second interface would make it ambiguous.
    deploy(&site, "mv", &interfaces(&["acme:store/api@1.1.0"]), &[]).ok();
    assert_eq!(result(&site, "mv.api.get"), 1);
    let refused = deploy(&site, "mv", &interfaces(&ALL), &[]);
    let said = refused.fails(1);
    assert!(
        said.contains("`api.get`") && said.contains("means several tasks now"),
        "{said}"
    );
    // A message by the short name then still runs on the version for which it meant one task.
    deploy(&site, "mv", &interfaces(&ALL), &["--allow-breaking"]).ok();
    assert_eq!(site.call(&["mv.api.get"])["result"], 1);
    assert_eq!(result(&site, "mv.other:pkg/api.get"), 3);
}
