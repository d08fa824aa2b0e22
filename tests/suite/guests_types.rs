//! Values of every WIT type in both directions, and what a task knows about its message.
//!
//! Must not know how values are converted.

use chicory_testing::{Site, guest, json};
use serde_json::{Value, json};

use crate::guests::{assert_says, run};

/// Gives the value to the function that returns it.
fn echo(kind: &str, value: &Value) -> Value {
    let task = format!("echo.of-{kind}");
    let text = value.to_string();
    let ran = run("wrong-types", &[&task, &text, "--json"]);
    json(ran.ok())["result"].clone()
}

#[test]
fn each_type_comes_back_as_it_went() {
    let values = [
        ("bool", json!(true)),
        ("u8", json!(255)),
        ("u64", json!(u64::MAX)),
        ("s64", json!(i64::MIN)),
        ("f64", json!(0.1)),
        ("char", json!("ß")),
        ("string", json!("line\n\u{1f980}")),
        ("bytes", json!("AAEC/w==")),
        ("lists", json!([["a"], [], ["b", "c"]])),
        ("tuple", json!([1, "two", true])),
        ("option", json!(null)),
        ("results", json!([{"ok": 1}, {"err": "no"}])),
        ("record", json!({"x": -1, "y-axis": 2, "label": "origin"})),
        (
            "nested",
            json!({"points": [{"x": 1, "y-axis": 2, "label": null}], "by-name": [["a", {"x": 0, "y-axis": 0, "label": null}]], "color": "dark-green"}),
        ),
        ("flags", json!(["read", "run-it"])),
        ("variant", json!({"circle": 1.5})),
        ("variant", json!("nothing")),
    ];
    for (kind, value) in values {
        assert_eq!(echo(kind, &value), value, "{kind}");
    }
}

#[test]
fn wrong_values_are_named_by_their_path() {
    for (kind, value, expected) in [
        ("u8", json!(256), "args[0]"),
        ("u8", json!(1.5), "args[0]"),
        ("string", json!(5), "args[0]"),
        ("record", json!({"x": "one", "y-axis": 2}), "args[0].x"),
        ("record", json!({"x": 1}), "y-axis"),
        ("record", json!({"x": 1, "y-axis": 2, "z": 3}), "z"),
        ("enum", json!("pink"), "pink"),
        // As a guest in JavaScript has it.
        (
            "variant",
            json!({"tag": "circle", "val": 1.5}),
            r#"as {"circle": …}, got the case `tag`"#,
        ),
        ("flags", json!(["read", "fly"]), "fly"),
        ("lists", json!([["a"], [7]]), "args[0][1][0]"),
    ] {
        let ran = run(
            "wrong-types",
            &[&format!("echo.of-{kind}"), &value.to_string()],
        );
        assert_says(&ran, &["ValidationError: ", expected]);
    }
    for args in [
        &["of-world"][..],
        &["of-world", "1", "2"],
        &["of-world", "--kwargs", r#"{"valu": 1}"#],
    ] {
        assert_says(&run("wrong-types", args), &["ValidationError: "]);
    }
}

#[test]
fn arguments_go_by_name_in_both_spellings_and_may_be_left_out() {
    for args in [
        &[
            "echo.of-several",
            "1",
            "--kwargs",
            r#"{"third": "red", "second-one": "x"}"#,
        ][..],
        &[
            "echo.of_several",
            "1",
            "--kwargs",
            r#"{"second_one": "x", "third": "red"}"#,
        ],
    ] {
        let ran = run("wrong-types", &[args, &["--json"]].concat());
        assert_eq!(ran.json()["result"], json!([1, "x", "red"]));
    }
    let short = run(
        "wrong-types",
        &[
            "echo.of-several",
            "--kwargs",
            r#"{"first": 1, "third": "red"}"#,
            "--json",
        ],
    );
    assert_eq!(short.json()["result"], json!([1, null, "red"]));
}

#[test]
fn inspect_says_what_is_a_task_and_what_is_not() {
    let file = guest("wrong-types");
    let inspected = Site::new().run(&["inspect", file.to_str().unwrap()]);
    let text = inspected.ok();
    for expected in [
        "of-world",
        "echo.of-variant",
        "not-tasks@0.1.0.make",
        "resource",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    }
    Site::new()
        .run(&["inspect", file.to_str().unwrap(), "--json"])
        .json();
}

#[test]
fn a_task_knows_its_message() {
    let site = Site::new();
    site.deploy("context");
    let _worker = site.worker(&[]);
    let id = site.enqueue(&["context.show-after", "2"]);
    let seen = site.wait_for(&id)["result"].clone();
    assert_eq!(
        (&seen["id"], &seen["name"]),
        (&id.as_str().into(), &"context.show-after".into())
    );
    let numbers =
        ["retries", "max-retries", "remaining-retries"].map(|field| seen[field].as_u64().unwrap());
    assert_eq!(numbers, [2, 3, 1]);
    assert_eq!(seen["is-last-retry"], false);
    assert!(
        seen["last-error"]
            .as_str()
            .unwrap()
            .contains("failure 2 of 2"),
        "{seen}"
    );
    assert_eq!(seen["tenant"], Value::Null);
    let last = site.enqueue(&["context.show-after", "3"]);
    assert_eq!(site.wait_for(&last)["result"]["is-last-retry"], true);
}
