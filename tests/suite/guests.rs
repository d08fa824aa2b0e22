//! Guests that break or fail, through `chicory run`: the error's name, its message, the exit code.
//!
//! Must not know how a guest is stopped.

use chicory_testing::{Ran, Site, guest};
use serde_json::json;

/// Runs a guest's task without a broker, with the manifest that is beside the guest.
pub(crate) fn run(module: &str, args: &[&str]) -> Ran {
    let file = guest(module);
    let args = [&["run", file.to_str().unwrap()], args].concat();
    Site::new().run(&args)
}

/// The same with this manifest.
pub(crate) fn run_with(module: &str, manifest: &str, args: &[&str]) -> Ran {
    let site = Site::new();
    let file = site.deploy_with(module, manifest);
    let args = [&["run", file.to_str().unwrap()], args].concat();
    site.run(&args)
}

/// Fails unless the run failed with exit code 1 and said all of this.
pub(crate) fn assert_says(ran: &Ran, expected: &[&str]) {
    let said = ran.fails(1);
    for text in expected {
        assert!(said.contains(text), "{text:?} is not in: {said}");
    }
}

#[test]
fn a_trap_names_its_cause_and_the_functions() {
    for (args, cause) in [
        (&["panics", "the sky fell"][..], "unreachable"),
        (&["unreachable"], "unreachable"),
        (&["divide", "1", "0"], "divide by zero"),
        (&["divide", "-2147483648", "-1"], "integer overflow"),
        (&["out-of-bounds"], "out of bounds"),
        (&["bad-call"], "table"),
    ] {
        let ran = run("trap", args);
        assert_says(&ran, &["Trap: ", cause]);
        assert!(
            ran.stderr.contains("trap"),
            "a function of the guest: {}",
            ran.stderr
        );
    }
    assert_eq!(run("trap", &["divide", "6", "3"]).ok(), "2");
}

#[test]
fn deep_recursion_is_a_trap() {
    assert_says(
        &run("deep-recursion", &["recurse", "100000000"]),
        &["Trap: ", "stack"],
    );
    assert_says(
        &run("deep-recursion", &["recurse-with-frames", "100000000"]),
        &["Trap: "],
    );
    run("deep-recursion", &["recurse", "10"]).ok();
}

#[test]
fn exit_codes_are_failures_with_the_end_of_stderr() {
    assert!(
        run("exit-codes", &["run", "0"])
            .ok()
            .contains("on stdout before \"0\"")
    );
    assert_says(
        &run("exit-codes", &["run", "3"]),
        &["TaskError: ", "exit code 3: ", "on stderr before \"3\""],
    );
    assert_says(&run("exit-codes", &["run", "abort"]), &["Trap: "]);
}

#[test]
fn errors_have_the_guests_own_names() {
    for (args, expected) in [
        (
            &["with-string", "no such order"][..],
            "TaskError: no such order",
        ),
        (&["with-enum", "heavy-rain"], "heavy-rain"),
        (
            &["with-variant", r#"{"connection-error": "refused"}"#],
            "connection-error",
        ),
        (&["with-variant", "card-declined"], "card-declined"),
        (
            &["with-variant", r#"{"overdrawn": {"cents": -5}}"#],
            "overdrawn",
        ),
        (&["with-record", "7"], "TaskError"),
        (&["with-nothing"], "TaskError"),
        (
            &["with-task-error", r#"{"fatal": "never again"}"#],
            "never again",
        ),
        (&["with-task-error", r#"{"retry": "perhaps"}"#], "perhaps"),
    ] {
        assert_says(&run("errors", args), &[expected]);
    }
    run("errors", &["succeeds"]).ok();
    assert_eq!(
        run("errors", &["returns", "all is well"]).ok(),
        "all is well"
    );
}

/// What the guest says of a retry goes before the policy, and its case's name is what policies match.
#[test]
fn a_worker_heeds_what_errors_say() {
    let site = Site::new();
    site.deploy_with(
        "errors",
        "[retry]\nmax_retries = 3\nretry_delay = 0.05\nignore_on = [\"card-declined\"]\n",
    );
    let worker = site.worker(&[]);
    let attempts = |task: &str, arg: &str| {
        let id = site.enqueue(&[task, arg]);
        worker.line_about("failed, and dead-lettered", &id)["attempt"].clone()
    };
    assert_eq!(
        attempts("errors.with-task-error", r#"{"fatal": "never again"}"#),
        1
    );
    assert_eq!(
        attempts(
            "errors.with-task-error",
            r#"{"retry-after": {"message": "busy", "delay-ms": 1}}"#
        ),
        4
    );
    assert_eq!(attempts("errors.with-variant", "card-declined"), 1);
    assert_eq!(
        attempts("errors.with-variant", r#"{"connection-error": "refused"}"#),
        4
    );
}

/// Guests that break leave their worker as it was: the same one continues with good ones.
#[test]
fn a_worker_survives_all_of_them() {
    let site = Site::new();
    for module in [
        "trap",
        "deep-recursion",
        "memory-bomb",
        "infinite-loop",
        "exit-codes",
        "huge-result",
    ] {
        site.deploy(module);
    }
    let worker = site.worker(&[]);
    let names = [
        ("trap.unreachable", json!([]), "Trap"),
        ("deep-recursion.recurse", json!([100_000_000]), "Trap"),
        ("memory-bomb.allocate", json!([1 << 20]), "OutOfMemory"),
        ("infinite-loop.spin", json!([]), "Timeout"),
        ("exit-codes.run", json!(["9"]), "TaskError"),
        ("huge-result.text", json!([20_000_000]), "ValidationError"),
        ("trap.divide", json!(["x", 1]), "ValidationError"),
        ("trap.no-such-task", json!([]), "TaskNotFound"),
    ];
    for (task, args, expected) in names {
        let args: Vec<String> = args
            .as_array()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut words = vec![task];
        words.extend(args.iter().map(String::as_str));
        let result = site.call(&words);
        assert_eq!(result["state"], "FAILURE");
        assert!(
            result["error"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{expected}: ")),
            "{task}: {result}"
        );
    }
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    assert_eq!(worker.count("reclaimed"), 0);
}
