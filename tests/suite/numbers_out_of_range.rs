//! Numbers in manifests, settings and flags that nothing could mean: named and refused, and never harmful.
//!
//! Must not know which limits there are.

use chicory_testing::Site;
use chicory_testing::components::answering;

use crate::versions::write;

/// Case M5: a worker with a module whose manifest has such a number names it, and serves the others.
#[test]
fn a_manifest_with_a_number_out_of_range_is_refused_and_others_are_served() {
    for (manifest, named) in [
        (
            "[limits]\ntimeout = 1e19",
            "timeout = 1e19 is not allowed; give seconds from 0.001 to ",
        ),
        ("[limits]\ncpu_time = nan", "cpu_time = NaN "),
        (
            "[limits]\nmemory = -1",
            "memory = -1 is not allowed; give a size from 0 to ",
        ),
        ("[retry]\nretry_delay = -1", "retry_delay = -1 "),
        ("[retry]\nmax_delay = inf", "max_delay = inf "),
        (
            "[tasks.add.retry]\nmax_retries = 4294967295",
            "max_retries = 4294967295 ",
        ),
        ("[tasks.add.limits]\ntimeout = 1e308", "timeout = 1e308 "),
    ] {
        let site = Site::new();
        write(&site, "modules/m", &answering(1), manifest);
        let refused = site.run(&["deploy", "modules/m.wasm"]);
        let reason = refused.fails(2);
        assert!(reason.contains(named), "{reason}");
        let worker = site.worker(&[]);
        let line = worker.line("refused a module");
        let reason = line["reason"].as_str().expect("a reason");
        assert!(reason.contains(named), "{reason}");
        assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    }
}

/// Case M5, for messages that were put into the queue by hand.
#[test]
fn a_message_with_a_number_out_of_range_is_dead_lettered_by_name() {
    let site = Site::new();
    let worker = site.worker(&[]);
    for (number, (field, named)) in [
        (
            r#""retries": 4294967295"#,
            "retries = 4294967295 is not allowed; give a whole number from 0 to 1000000",
        ),
        (
            r#""retry": {"retry_delay": -1}"#,
            "retry_delay = -1 is not allowed",
        ),
        (
            r#""retry": {"max_delay": -5}"#,
            "max_delay = -5 is not allowed",
        ),
        (
            r#""retry": {"retry_delay": 1e308}"#,
            "retry_delay = 1e308 is not allowed",
        ),
        (
            r#""retry": {"max_retries": 4294967295}"#,
            "max_retries = 4294967295 is not allowed",
        ),
        (r#""eta": 1e308"#, "eta = 1e308 is not allowed"),
        (r#""priority": -1"#, "priority = -1 is not allowed"),
        (
            r#""first_failure_at": 1e999"#,
            "first_failure_at: number out of range",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("m{number}");
        let data = format!(r#"{{"id": "{id}", "name": "demo.always-fails", {field}}}"#);
        let entry = [
            "XADD",
            "chicory:stream:default",
            "*",
            "task_id",
            &id,
            "data",
            &data,
        ];
        site.redis.query::<String>(&entry);
        worker.line_about("failed, and dead-lettered", &id);
        let letter = site.run(&["dlq", "show", &id, "--json"]).json();
        let error = letter["error"].as_str().expect("an error");
        assert!(
            error.starts_with("UnreadableMessage: ") && error.contains(named),
            "{error}"
        );
    }
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
}

/// Case M5, for flags.
#[test]
fn a_flag_with_a_number_out_of_range_is_refused() {
    let site = Site::new();
    for (args, named) in [
        (
            &["enqueue", "demo.noop", "--max-retries", "4294967295"][..],
            "--max-retries",
        ),
        (
            &[
                "enqueue",
                "demo.noop",
                "--max-retries",
                "1",
                "--retry-delay",
                "-1",
            ],
            "--retry-delay",
        ),
        (&["enqueue", "demo.noop", "--delay", "1e19"], "--delay"),
        (
            &["enqueue", "demo.noop", "--delay", "100000000h"],
            "--delay",
        ),
        (
            &["worker", "--concurrency", "18446744073709551616"],
            "--concurrency",
        ),
        (
            &["worker", "--shutdown-timeout", "nan"],
            "--shutdown-timeout",
        ),
        (
            &["worker", "--max-memory", "18446744073709551615GiB"],
            "--max-memory",
        ),
        (&["deploy", "m.wasm", "--timeout", "1e308"], "--timeout"),
        (
            &["dlq", "list", "--count", "18446744073709551615"],
            "--count",
        ),
    ] {
        let ran = site.run(args);
        let error = ran.fails(2);
        assert!(
            error.contains(named) && error.contains(" is not allowed; give "),
            "{error}"
        );
    }
}
