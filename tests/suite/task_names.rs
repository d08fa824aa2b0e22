//! Names of tasks: each has one meaning, in all spellings, for producers and workers alike.
//!
//! Must not know how names are compared.

use chicory_testing::components::answering;
use chicory_testing::{Ran, Site};
use serde_json::{Value, json};

use crate::versions::{deploy, write};

/// A module with the task `add-up` and, in the interface `more`, the task `ADD`.
const ADDING: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (instance $more (export "ADD" (func $add)))
  (export "add-up" (func $add))
  (export "more" (instance $more)))"#;

/// A module with the task `shop.answer`, which returns 666.
const NESTED: &str = r#"(component
  (core module $m (func (export "answer") (result i32) i32.const 666))
  (core instance $i (instantiate $m))
  (func $answer (result u32) (canon lift (core func $i "answer")))
  (instance $shop (export "answer" (func $answer)))
  (export "shop" (instance $shop)))"#;

/// A site without modules in a folder.
fn fleet() -> Site {
    let site = Site::new();
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site
}

fn enqueue(site: &Site, task: &str, flags: &[&str]) -> Ran {
    site.run(&[&["enqueue", task], flags].concat())
}

fn result(site: &Site, task: &str, flags: &[&str]) -> Value {
    let id = enqueue(site, task, flags).ok().to_owned();
    site.wait_for(&id)
}

#[test]
fn what_the_strict_check_accepts_runs_and_what_runs_is_accepted() {
    let site = fleet();
    let _worker = site.worker(&[]);
    deploy(&site, "my_sums", ADDING, &[]).ok();
    let strict = ["1", "2", "--validation", "strict"];
    let unchecked = ["1", "2", "--validation", "none"];
    for task in [
        "my_sums.add-up",
        "my_sums.ADD",
        "my_sums.add_up",
        "my_sums.ADD-UP",
        "My-Sums.Add_Up",
        "my_sums.more.ADD",
        "my_sums.more.add",
        "MY-SUMS.MORE.add",
    ] {
        let checked = enqueue(&site, task, &strict);
        let ran = result(&site, task, &unchecked);
        if ran["state"] == "SUCCESS" {
            let ran = site.wait_for(checked.ok());
            assert_eq!(ran["result"], 3, "{task}: {ran}");
        } else {
            let refused = checked.fails(2);
            assert!(refused.contains("TaskNotFound: "), "{task}: {refused}");
            let error = ran["error"].as_str().expect("a text");
            assert!(error.starts_with("TaskNotFound: "), "{task}: {ran}");
        }
        assert_eq!(ran["state"] == "SUCCESS", task != "my_sums.ADD", "{task}");
    }
    for task in [
        "my_sums",
        "my_sums.",
        "my_sums.more.add.up",
        "sums.add-up",
        "my_sums.add up",
    ] {
        let refused = enqueue(&site, task, &strict);
        assert!(refused.fails(2).contains("TaskNotFound: "), "{refused:?}");
        let ran = result(&site, task, &unchecked);
        let error = ran["error"].as_str().expect("a text");
        assert!(error.starts_with("TaskNotFound: "), "{task}: {ran}");
    }
}

#[test]
fn m3_a_deploy_that_makes_a_name_ambiguous_is_refused_and_names_both_modules() {
    let site = fleet();
    let _worker = site.worker(&[]);
    deploy(&site, "acme", NESTED, &[]).ok();
    deploy(&site, "b", &answering(1), &["--name", "other.shop"]).ok();
    for (refused, name, module, owner) in [
        (
            deploy(&site, "shop", &answering(1), &["--name", "acme.shop"]),
            "acme.shop.answer",
            "acme",
            "acme.shop",
        ),
        (
            deploy(&site, "nested", NESTED, &["--name", "other"]),
            "other.shop.answer",
            "other",
            "other.shop",
        ),
    ] {
        let said = refused.fails(1);
        for part in [name, module, owner].map(|part| format!("{part:?}")) {
            assert!(said.contains(&part), "{part} in {said}");
        }
        assert!(
            said.contains("--name deploys a module under another name"),
            "{said}"
        );
    }
    // The same name in another spelling is another name for the same tasks.
    let spelled = deploy(&site, "spelled", &answering(1), &["--name", "Other.SHOP"]);
    let said = spelled.fails(1);
    assert!(said.contains(r#""Other.SHOP" and "other.shop""#), "{said}");
    let modules = site.run(&["modules", "--json"]).json();
    let names = modules.as_array().expect("a list").iter();
    let names: Vec<_> = names.map(|module| &module["module"]).collect();
    assert_eq!(names, [&json!("acme"), &json!("other.shop")]);
    let shown = site
        .run(&["modules", "show", "OTHER.shop", "--json"])
        .json();
    assert_eq!(shown["name"], "other.shop", "{shown}");
    assert_eq!(result(&site, "acme.shop.answer", &[])["result"], 666);
    assert_eq!(result(&site, "other.shop.answer", &[])["result"], 1);
}

#[test]
fn m3_a_rollback_to_an_ambiguous_name_is_refused() {
    let site = fleet();
    let _worker = site.worker(&[]);
    deploy(&site, "acme", NESTED, &[]).ok();
    deploy(&site, "acme", &answering(2), &["--allow-breaking"]).ok();
    deploy(&site, "shop", &answering(1), &["--name", "acme.shop"]).ok();
    assert_eq!(result(&site, "acme.shop.answer", &[])["result"], 1);
    let refused = site.run(&["rollback", "acme"]);
    let said = refused.fails(1);
    assert!(said.contains("\"acme.shop.answer\" is ambiguous"), "{said}");
    assert_eq!(result(&site, "acme.answer", &[])["result"], 2);
}

#[test]
fn m3_of_a_folder_the_module_with_the_longer_name_is_loaded_each_time() {
    let site = fleet();
    std::fs::create_dir(site.modules()).expect("a new folder");
    write(&site, "modules/acme", NESTED, "");
    write(&site, "modules/z", &answering(1), "name = \"acme.shop\"");
    for _ in 0..2 {
        let mut worker = site.worker(&["--modules", "modules"]);
        let refused = worker.line("refused a module");
        let reason = refused["reason"].as_str().expect("a text");
        for part in [r#""acme.shop.answer""#, r#""acme""#, r#""acme.shop""#] {
            assert!(reason.contains(part), "{part} in {reason}");
        }
        assert_eq!(result(&site, "acme.shop.answer", &[])["result"], 1);
        worker.stop();
    }
    // It is loaded once the other one is gone.
    let worker = site.worker(&["--modules", "modules"]);
    std::fs::remove_file(site.path("modules/z.wasm")).expect("it is there");
    worker.line_where("acme loaded", |line| line["module"] == "acme");
    assert_eq!(result(&site, "acme.shop.answer", &[])["result"], 666);
}
