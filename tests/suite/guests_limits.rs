//! Guests that take too much: time, memory, tables, output, results. Each meets its limit.
//!
//! Must not assert how long anything takes.

use chicory_testing::Site;
use serde_json::json;

use crate::guests::{assert_says, run, run_with};

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    for task in ["spin", "fill"] {
        assert_says(
            &run("infinite-loop", &[task]),
            &["Timeout: ", "timeout of 500ms"],
        );
    }
    let cpu = "[limits]\ncpu_time = 0.1\n";
    assert_says(
        &run_with("infinite-loop", cpu, &["spin"]),
        &["Timeout: ", "cpu_time"],
    );
    let fuel = "[limits]\nfuel = 1000000\n";
    assert_says(
        &run_with("infinite-loop", fuel, &["spin"]),
        &["OutOfFuel: ", "1000000"],
    );
}

/// Waiting in a host call is stopped as well, and costs no time on a processor.
#[test]
fn a_sleeper_is_woken_at_its_deadline() {
    let short = "[limits]\ntimeout = 0.3\n";
    assert_says(
        &run_with("sleeping", short, &["sleep", "600000"]),
        &["Timeout: ", "timeout of 300ms"],
    );
    assert_says(
        &run_with("sleeping", short, &["busy", "600000"]),
        &["Timeout: "],
    );
    assert_says(
        &run_with("sleeps-in-main", short, &["run", "600000"]),
        &["Timeout: "],
    );
    let cpu = "[limits]\ncpu_time = 0.2\n";
    run_with("sleeping", cpu, &["sleep", "400"]).ok();
    assert_says(
        &run_with("sleeping", cpu, &["busy", "60000"]),
        &["Timeout: ", "cpu_time"],
    );
    assert!(run("sleeps-in-main", &["run", "1"]).ok().contains("awake"));
}

#[test]
fn memory_is_limited_as_a_sum_over_all_memories() {
    assert_says(
        &run("memory-bomb", &["allocate", "1048576"]),
        &["OutOfMemory: ", "memory"],
    );
    assert_says(
        &run("memory-bomb", &["grow", "100000"]),
        &["more pages were refused"],
    );
    let pages: u32 = run("memory-bomb", &["grow", "100"]).ok().parse().unwrap();
    assert!(pages > 100);
    let limit = "[limits]\nmemory = \"32MiB\"\n";
    // Three times 20 MiB: only the first fits.
    assert_eq!(
        run_with("many-memories", limit, &["grow-each", "320"]).ok(),
        "1"
    );
    assert_eq!(
        run_with("many-memories", limit, &["grow-each", "16"]).ok(),
        "3"
    );
}

/// The worker's own limit holds for modules that set none, and no module may go beyond it.
#[test]
fn max_memory_is_the_ceiling_of_all_modules() {
    let site = Site::new().set("CHICORY_WORKER_MAX_MEMORY", "48MiB");
    let file = site.deploy_with("memory-bomb", "");
    let file = file.to_str().unwrap();
    // 40 MiB fit, another 40 MiB don't.
    site.run(&["run", file, "grow", "640"]).ok();
    site.run(&["run", file, "grow", "1280"]).fails(1);
    site.deploy_with("memory-bomb", "[limits]\nmemory = \"64MiB\"\n");
    let refused = site.run(&["inspect", file]);
    let refused = if refused.code == Some(0) {
        site.run(&["run", file, "grow", "1"])
    } else {
        refused
    };
    assert!(refused.stderr.contains("max_memory"), "{refused:?}");
}

#[test]
fn tables_are_limited() {
    let limit = "[limits]\ntable_elements = 1000\n";
    let elements: u32 = run_with("table-bomb", limit, &["grow", "100"])
        .ok()
        .parse()
        .unwrap();
    assert!((900..=1000).contains(&elements), "{elements}");
    let elements: u32 = run("table-bomb", &["grow", "1000"]).ok().parse().unwrap();
    assert!(elements <= 200_000, "{elements}");
}

#[test]
fn results_and_arguments_are_limited() {
    let small = "[limits]\nresult_bytes = 1000\nargs_bytes = 100\nhost_call_bytes = \"1MiB\"\n";
    assert_says(
        &run_with("huge-result", small, &["text", "2000"]),
        &["ValidationError: ", "result", "1000"],
    );
    assert_says(
        &run_with("huge-result", small, &["bytes", "2000"]),
        &["ValidationError: ", "result"],
    );
    run_with("huge-result", small, &["text", "500"]).ok();
    // A little memory in the guest, a lot in the host.
    run_with("huge-result", small, &["lists", "1000000"]).fails(1);
    // An error is no result: it is cut at 16 KiB whatever result_bytes is.
    assert_says(
        &run_with("huge-result", small, &["error", "2000"]),
        &["TaskError: xxx"],
    );
    let long = "x".repeat(200);
    assert_says(
        &run_with("errors", small, &["returns", &long]),
        &["ValidationError: ", "arguments", "100"],
    );
}

/// What a task says is cut at its limit; the task itself continues.
#[test]
fn floods_of_output_are_cut() {
    let small = "[limits]\nlog_bytes = \"4KiB\"\noutput_bytes = \"4KiB\"\ntimeout = 0.5\n";
    let ran = run_with("log-flood", small, &["write", "1000", "100"]);
    assert_eq!(ran.ok(), "1000");
    assert!(ran.stderr.len() < 20_000, "{} bytes", ran.stderr.len());
    let ran = run_with("log-flood", small, &["flood"]);
    assert_says(&ran, &["Timeout: "]);
    assert!(ran.stderr.len() < 20_000, "{} bytes", ran.stderr.len());
    // A program's standard output is its result, which has its own limit.
    let ran = run_with("stdout-flood", small, &["run", "1000"]);
    assert_eq!(ran.ok().len(), 1000 * 100 - 1);
    assert!(ran.stderr.len() < 20_000, "{} bytes", ran.stderr.len());
    let smaller = format!("{small}result_bytes = \"4KiB\"\n");
    assert_says(
        &run_with("stdout-flood", &smaller, &["run", "1000"]),
        &["ValidationError: ", "result"],
    );
    let endless = run_with("stdout-flood", small, &["run"]);
    let said = endless.fails(1);
    assert!(
        said.contains("Timeout: ") || said.contains("ValidationError: "),
        "{said}"
    );
}

#[test]
fn a_guest_can_not_steer_the_terminal() {
    let ran = run("log-flood", &["control-characters"]);
    ran.ok();
    assert!(ran.stderr.contains("red"), "{ran:?}");
    let steering = ran.stderr.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(steering, None, "{ran:?}");
    let levels = run("log-flood", &["levels"]);
    levels.ok();
    for level in ["debug", "info", "warn", "error"] {
        assert!(levels.stderr.contains(level), "{levels:?}");
    }
}

#[test]
fn a_storm_of_host_calls_ends_at_its_deadline() {
    let short = "[limits]\ntimeout = 0.3\n";
    for args in [&["ask"][..], &["report"], &["hand-over", "1000000"]] {
        assert_says(&run_with("host-call-storm", short, args), &["Timeout: "]);
    }
    run("host-call-storm", &["ask-times", "100000"]).ok();
}

/// One that never ends does not keep others from being served by the same worker.
#[test]
fn others_are_served_meanwhile() {
    let site = Site::new();
    site.deploy_with("infinite-loop", "[limits]\ntimeout = 600.0\n");
    let worker = site.worker(&["--threads", "2", "--concurrency", "32"]);
    for _ in 0..4 {
        site.enqueue(&["infinite-loop.spin"]);
    }
    for number in 0..20 {
        let sum = site
            .run(&[
                "enqueue",
                "demo.add",
                &number.to_string(),
                "1",
                "--wait",
                "--json",
            ])
            .json();
        assert_eq!(sum["result"], json!(number + 1));
    }
    assert_eq!(worker.count("reclaimed"), 0);
}
