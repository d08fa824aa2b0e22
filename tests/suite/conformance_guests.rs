//! One guest per language for tests/guests/conformance/world.wit: the same calls give the same answers.
//!
//! Must not know how a language spells its types; the table lists the differences.

use std::path::Path;

use chicory_link::{Linking, link};
use chicory_testing::Site;
use serde_json::{Value, json};

use crate::web::Web;

/// The guest of one language.
struct Guest {
    module: &'static str,
    /// The error's name after an uncaught exception or a panic.
    uncaught: &'static str,
    /// `chicory build` links its core modules.
    linked: bool,
}

const PYTHON: Guest = Guest {
    module: "conformance-python",
    uncaught: "LookupError",
    linked: true,
};

const TYPESCRIPT: Guest = Guest {
    module: "conformance-typescript",
    uncaught: "RangeError",
    linked: false,
};

#[test]
fn python_conforms() {
    conforms(&PYTHON);
}

#[test]
fn typescript_conforms() {
    conforms(&TYPESCRIPT);
}

/// All cases, on one worker: loading a large module takes its time.
fn conforms(language: &Guest) {
    // The web is on this machine.
    let site = Site::new().set("CHICORY_POLICY_HTTP", "private");
    let (web, pair) = (Web::start(1), Web::start(2));
    let grants = format!(
        "[grants]\nhttp = [\"{}\", \"{}\"]\nenv = {{ GREETING = \"hello\" }}\n",
        web.authority, pair.authority
    );
    let file = site.deploy_with(
        language.module,
        &(grants
            + "[retry]\nmax_retries = 2\nretry_delay = 0.05\n\
         [tasks.fail-uncaught.retry]\nmax_retries = 0\n[tasks.fail-string.retry]\nmax_retries = 0\n\
         [tasks.fail-enum.retry]\nmax_retries = 0\n[tasks.fail-variant.retry]\nmax_retries = 0\n\
         [tasks.fetch-text.retry]\nmax_retries = 0\n"),
    );
    link_as_built(&file, language);
    let worker = site.worker(&[]);
    values_come_back(&site, language);
    errors_keep_their_names(&site, language);
    wrong_arguments_are_named_alike(&site, language);
    a_task_knows_its_message(&site, language);
    for (task, arg, attempts) in [
        ("fail-fatal", vec![json!("no")], 1),
        ("fail-retry", vec![json!("perhaps")], 3),
        ("fail-retry-after", vec![json!("busy"), json!(1)], 3),
    ] {
        let id = enqueue(&site, language, task, &arg);
        let line = worker.line_about("failed, and dead-lettered", &id);
        assert_eq!(line["attempt"], attempts, "{task}");
    }
    log_and_progress_reach_the_host(&site, &file);
    granted_interfaces_are_there(&site, language, &web, &pair);
}

/// Does to the guest what `chicory build` does: the toolchain alone has made it.
fn link_as_built(file: &Path, language: &Guest) {
    let made = std::fs::read(file).expect("the guest is there");
    match link(&made).unwrap() {
        Linking::Linked { component, .. } if language.linked => {
            std::fs::write(file, component).expect("the folder can be written to");
        }
        Linking::Nothing if !language.linked => {}
        other => panic!("{}: {other:?}", language.module),
    }
}

/// Values of every WIT type, each with the task that gives it back.
fn values() -> Vec<(&'static str, Value)> {
    let point = json!({"x": -1, "y-axis": 2, "label": "origin"});
    let nameless = json!({"x": 0, "y-axis": i32::MIN, "label": null});
    let nested = json!({
        "points": [point, nameless],
        "by-name": [["a", point], ["b", nameless]],
        "color": "blue",
        "shape": {"polygon": [nameless]},
    });
    let shapeless = json!({"points": [], "by-name": [], "color": "red", "shape": null});
    vec![
        ("bool", json!(true)),
        ("u8", json!(255)),
        ("u16", json!(65535)),
        ("u32", json!(u32::MAX)),
        ("u64", json!(u64::MAX)),
        ("s8", json!(-128)),
        ("s16", json!(i16::MIN)),
        ("s32", json!(i32::MIN)),
        ("s64", json!(i64::MIN)),
        ("f32", json!(0.5)),
        ("f64", json!(0.1)),
        ("char", json!("ß")),
        ("string", json!("line\n\u{1f980}\u{0}")),
        ("bytes", json!("AAEC/w==")),
        ("list", json!([1, u32::MAX])),
        ("lists", json!([["a"], [], ["b", "c"]])),
        ("tuple", json!([1, "two", true])),
        ("option", json!(null)),
        ("option", json!(7)),
        ("results", json!([{"ok": 1}, {"err": "no"}])),
        ("record", point),
        ("record", nameless),
        ("enum", json!("dark-green")),
        ("flags", json!(["read", "run-it"])),
        ("flags", json!([])),
        ("variant", json!("nothing")),
        ("variant", json!({"circle": 1.5})),
        ("nested", nested),
        ("nested", shapeless),
    ]
}

fn values_come_back(site: &Site, language: &Guest) {
    let values = values();
    let ids: Vec<_> = values
        .iter()
        .map(|(kind, value)| {
            enqueue(
                site,
                language,
                &format!("echo-{kind}"),
                std::slice::from_ref(value),
            )
        })
        .collect();
    for ((kind, value), id) in values.iter().zip(ids) {
        let ended = site.wait_for(&id);
        assert_eq!(&ended["result"], value, "echo-{kind}: {ended}");
    }
    let several = [json!(1), json!(null), json!("blue")];
    let id = enqueue(site, language, "echo-several", &several);
    assert_eq!(site.wait_for(&id)["result"], json!([1, null, "blue"]));
    let id = enqueue(site, language, "nothing", &[]);
    assert_eq!(site.wait_for(&id)["state"], "SUCCESS");
}

/// An error of each kind.
fn errors_keep_their_names(site: &Site, language: &Guest) {
    let uncaught = format!("{}: boom", language.uncaught);
    for (task, arg, expected) in [
        (
            "fail-string",
            json!("no such order"),
            "TaskError: no such order",
        ),
        ("fail-enum", json!("not-found"), "not-found: "),
        ("fail-variant", json!("card-declined"), "card-declined: "),
        ("fail-variant", json!({"overdrawn": -5}), "overdrawn: "),
        (
            "fail-variant",
            json!({"connection-error": "refused"}),
            "connection-error: ",
        ),
        ("fail-uncaught", json!("boom"), uncaught.as_str()),
    ] {
        let ended = site.wait_for(&enqueue(site, language, task, std::slice::from_ref(&arg)));
        assert_eq!(ended["state"], "FAILURE", "{task}: {ended}");
        let error = ended["error"].as_str().unwrap_or_default();
        assert!(error.starts_with(expected), "{task} {arg}: {ended}");
    }
}

/// What a producer does wrong never reaches the guest, so all languages say the same of it.
fn wrong_arguments_are_named_alike(site: &Site, language: &Guest) {
    for (task, args, expected) in [
        (
            "echo-u8",
            vec![json!(256)],
            "args[0]: expected u8, got 256, which is out of range",
        ),
        (
            "echo-u8",
            vec![json!(1.5)],
            "args[0]: expected u8, got 1.5, which has a fraction",
        ),
        (
            "echo-record",
            vec![json!({"x": "one", "y-axis": 2})],
            "args[0].x: expected s32, got string",
        ),
        (
            "echo-lists",
            vec![json!([["a"], [7]])],
            "args[0][1][0]: expected string, got number",
        ),
        (
            "echo-enum",
            vec![json!("pink")],
            "args[0]: expected enum { red, dark-green, blue }, got `pink`",
        ),
        (
            "echo-bool",
            vec![],
            "kwargs: missing argument `value: bool`",
        ),
        (
            "echo-bool",
            vec![json!(true), json!(1)],
            "arguments: 2 positional arguments are too many; the task takes (value: bool)",
        ),
    ] {
        let ended = site.wait_for(&enqueue(site, language, task, &args));
        let error = ended["error"].as_str().unwrap_or_default();
        assert_eq!(
            error,
            format!("ValidationError: {expected}"),
            "{task} {args:?}"
        );
    }
}

/// Each field of the context, at the second retry.
fn a_task_knows_its_message(site: &Site, language: &Guest) {
    let id = enqueue(site, language, "show-context", &[json!(2)]);
    let ended = site.wait_for(&id);
    let seen = &ended["result"];
    let name = format!("{}.show-context", language.module);
    for (field, expected) in [
        ("id", json!(id)),
        ("name", json!(name)),
        ("retries", json!(2)),
        ("max-retries", json!(2)),
        ("remaining-retries", json!(0)),
        ("is-last-retry", json!(true)),
        ("tenant", json!(null)),
    ] {
        assert_eq!(seen[field], expected, "{field}: {ended}");
    }
    let last = seen["last-error"].as_str().unwrap_or_default();
    assert!(last.contains("only 1 retries"), "{ended}");
    // Milliseconds since 1970, after 2001.
    assert!(
        seen["deadline"].as_u64() > Some(1_000_000_000_000),
        "{ended}"
    );
}

fn log_and_progress_reach_the_host(site: &Site, file: &Path) {
    let run = |args: &[&str]| site.run(&[&["run", file.to_str().unwrap()], args].concat());
    let logged = run(&["log-levels", "so it is"]);
    logged.ok();
    for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] {
        let line = format!("{level:<5} so it is");
        assert!(logged.stderr.contains(&line), "{}", logged.stderr);
    }
    let reported = run(&["report-progress", "4"]);
    assert_eq!(reported.ok(), "4");
    for line in ["  25 % step 1", " 100 % step 4"] {
        assert!(reported.stderr.contains(line), "{}", reported.stderr);
    }
}

/// HTTP to the hosts of the manifest and no others, and its environment. `pair` answers two requests at a time:
/// a task that waits for them one by one would never end.
fn granted_interfaces_are_there(site: &Site, language: &Guest, web: &Web, pair: &Web) {
    let result = |task: &str, arg: Value| {
        let ended = site.wait_for(&enqueue(site, language, task, &[arg]));
        assert_eq!(ended["state"], "SUCCESS", "{task}: {ended}");
        ended["result"].clone()
    };
    assert_eq!(
        result("fetch-text", json!(web.url("/a?b=c"))),
        "put /a?b=c body"
    );
    let both = [pair.url("/one"), pair.url("/two")];
    assert_eq!(
        result("fetch-all", json!(both)),
        json!(["get /one", "get /two"])
    );
    assert_eq!(result("variable", json!("GREETING")), "hello");
    assert_eq!(result("variable", json!("HOME")), json!(null));
    let elsewhere = [json!("http://127.0.0.1:9/")];
    let refused = site.wait_for(&enqueue(site, language, "fetch-text", &elsewhere));
    let error = refused["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("CapabilityDenied: HTTP to `127.0.0.1` on port 9 is not granted"),
        "{refused}"
    );
}

/// Enqueues a call; its id.
fn enqueue(site: &Site, language: &Guest, task: &str, args: &[Value]) -> String {
    let name = format!("{}.{task}", language.module);
    let texts: Vec<String> = args.iter().map(ToString::to_string).collect();
    // Numbers may be negative: what follows isn't flags.
    let mut words = vec![name.as_str(), "--"];
    words.extend(texts.iter().map(String::as_str));
    site.enqueue(&words)
}
