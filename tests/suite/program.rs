//! The program as its users meet it: help, wrong usage, JSON, the demo, the embedded broker.
//!
//! Must not know how a command does its work.

use std::collections::BTreeSet;

use chicory_testing::{RedisServer, Site, guest, json, root, until};
use serde_json::Value;

/// The names of the commands below `path`, as its help lists them.
pub(crate) fn commands_of(site: &Site, path: &[&str]) -> Vec<String> {
    let help = site.run(&[path, &["--help"]].concat());
    let text = help.ok();
    assert!(text.contains("Usage: chicory"), "{text}");
    let Some((_, rest)) = text.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let list = rest.split("\n\n").next().unwrap_or_default().lines();
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every command with its help text, those inside others included.
pub(crate) fn all_commands(site: &Site) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = vec![Vec::new()];
    let mut next = 0;
    while next < found.len() {
        let path: Vec<&str> = found[next].iter().map(String::as_str).collect();
        for name in commands_of(site, &path) {
            let child = [found[next].clone(), vec![name]].concat();
            found.push(child);
        }
        next += 1;
    }
    found
}

#[test]
fn every_command_has_help() {
    let site = Site::new();
    let all: BTreeSet<String> = all_commands(&site)
        .into_iter()
        .map(|path| path.join(" "))
        .collect();
    for command in [
        "worker",
        "enqueue",
        "result",
        "dlq list",
        "dlq show",
        "dlq replay",
        "dlq delete",
        "dlq purge",
        "dlq count",
        "queue list",
        "queue show",
        "queue purge",
        "workers",
        "cleanup",
        "run",
        "inspect",
        "new",
        "build",
        "test",
        "dev",
        "demo",
        "completions",
        "config default",
        "config show",
    ] {
        assert!(all.contains(command), "{command} is not among {all:?}");
    }
    assert!(site.run(&["--version"]).ok().starts_with("chicory "));
}

#[test]
fn wrong_usage_has_exit_code_two_and_says_what_is_right() {
    let site = Site::new();
    for (args, expected) in [
        (&["wroker"][..], "worker"),
        (&["worker", "--concurency", "3"], "--concurrency"),
        (&["worker", "--concurrency", "many"], "many"),
        (&["enqueue"], "TASK"),
        (&["enqueue", "demo.add", "--kwargs", "[1]"], "JSON object"),
        (&["enqueue", "demo.add", "--delay", "soon"], "500ms"),
        (&["dlq", "replay"], "<ID>"),
        (&["completions", "cmd.exe"], "bash"),
    ] {
        let ran = site.run(args);
        assert!(ran.fails(2).contains(expected), "{ran:?}");
    }
}

#[test]
fn a_setting_that_is_none_is_named_with_the_nearest_one() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_HOTS", "localhost");
    let ran = site.run(&["workers"]);
    assert!(
        ran.fails(2)
            .contains("did you mean CHICORY_BROKER_REDIS_HOST?"),
        "{ran:?}"
    );
    let site = Site::new();
    let file = site.write("chicory.toml", "[worker]\nconcurency = 3\n");
    let ran = site.run(&["workers"]);
    assert!(ran.fails(2).contains("concurrency"), "{ran:?}");
    std::fs::rename(file, site.path("other.toml")).unwrap();
    assert!(
        site.run(&["workers", "--config", "other.toml"])
            .fails(2)
            .contains("other.toml")
    );
    assert!(
        site.run(&["workers", "--config", "nowhere.toml"])
            .fails(2)
            .contains("nowhere.toml")
    );
    let site = Site::new().set("CHICORY_WORKER_CONCURRENCY", "0");
    assert!(
        site.run(&["workers"])
            .fails(2)
            .contains("CHICORY_WORKER_CONCURRENCY")
    );
}

#[test]
fn a_missing_server_has_exit_code_three() {
    let mut site = Site::new();
    site.redis.stop();
    for args in [
        &["enqueue", "demo.noop"][..],
        &["result", "x"],
        &["dlq", "list"],
        &["queue", "list"],
        &["workers"],
    ] {
        let ran = site.run(args);
        assert!(ran.fails(3).contains("hint: "), "{ran:?}");
    }
    let ran = site.run(&["queue", "list", "--json"]);
    assert_eq!(json(ran.fails(3))["exit_code"], 3);
}

#[test]
fn a_module_that_can_not_be_read_is_named() {
    let site = Site::new();
    let broken = site.write("broken.wasm", "this is no module");
    let broken = broken.to_str().unwrap();
    for args in [
        &["run", broken, "x"][..],
        &["inspect", broken],
        &["run", "nowhere.wasm", "x"],
    ] {
        let ran = site.run(args);
        assert_ne!(ran.code, Some(0));
        assert!(ran.stderr.contains(".wasm"), "{ran:?}");
    }
    let demo = site.modules().join("demo.wasm");
    let ran = site.run(&["run", demo.to_str().unwrap(), "ad", "1"]);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("add"),
        "it says which tasks there are: {ran:?}"
    );
}

#[test]
fn a_worker_without_modules_does_not_start() {
    let site = Site::new();
    std::fs::create_dir(site.path("empty")).unwrap();
    for folder in ["empty", "nowhere"] {
        let ran = site.run(&["worker", "--modules", folder]);
        assert_ne!(ran.code, Some(0));
        assert!(ran.stderr.contains(folder), "{ran:?}");
    }
    let site = site.set("CHICORY_WORKER_MODULES", "empty");
    assert!(site.run(&["worker"]).stderr.contains("empty"));
}

#[test]
fn json_everywhere() {
    let site = Site::new();
    let worker = site.worker(&[]);
    let dead = site
        .run(&["enqueue", "demo.gives-up", "x", "--json"])
        .json()["id"]
        .clone();
    worker.line_about("failed, and dead-lettered", dead.as_str().unwrap());
    let demo = site.modules().join("demo.wasm");
    for args in [
        &["enqueue", "demo.add", "1", "2", "--wait"][..],
        &["dlq", "list"],
        &["dlq", "show", dead.as_str().unwrap()],
        &["dlq", "count"],
        &["dlq", "replay", "--all"],
        &["dlq", "purge", "--yes"],
        &["queue", "list"],
        &["queue", "show"],
        &["queue", "purge", "--yes"],
        &["workers"],
        &["cleanup"],
        &["config", "show"],
        &["run", demo.to_str().unwrap(), "greet", "Ada"],
        &["inspect", demo.to_str().unwrap()],
    ] {
        let value = site.run(&[args, &["--json"]].concat()).json();
        assert!(value.is_object() || value.is_array(), "{args:?}: {value}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(site.run(&["completions", shell]).ok().contains("enqueue"));
    }
    let defaults = site.run(&["config", "default"]);
    site.write("chicory.toml", defaults.ok());
    site.run(&["config", "show"]).ok();
}

#[test]
fn run_prints_the_result_and_what_the_task_says() {
    let site = Site::new();
    let demo = site.modules().join("demo.wasm");
    let demo = demo.to_str().unwrap();
    assert_eq!(site.run(&["run", demo, "greet", "Ada"]).ok(), "Hello, Ada!");
    assert_eq!(
        site.run(&["run", demo, "add", "1", "--kwargs", "{\"b\": 2}"])
            .ok(),
        "3"
    );
    let logged = site.run(&["run", demo, "log-and-progress", "3"]);
    assert_eq!(logged.ok(), "3");
    assert!(logged.stderr.contains("step 2 of 3"), "{logged:?}");
    let words = guest("wordcount");
    assert!(
        !site
            .run(&[
                "run",
                words.to_str().unwrap(),
                "run",
                "--kwargs",
                "{\"stdin\": \"a b b\"}"
            ])
            .ok()
            .is_empty()
    );
}

#[test]
fn the_demo_on_the_embedded_broker() {
    let site = Site::new();
    let modules = root().join("target/guests/examples");
    let ran = site.run(&["demo", "--modules", modules.to_str().unwrap()]);
    for expected in [
        "demo.add",
        "demo.flaky",
        "demo.spin",
        "Timeout",
        "OutOfMemory",
        "SUCCESS",
        "FAILURE",
    ] {
        assert!(
            ran.ok().contains(expected),
            "{expected} is not in: {}",
            ran.stdout
        );
    }
}

/// On a Redis server, of which nothing is left but what was there.
#[test]
fn the_demo_on_redis_cleans_up_after_itself() {
    let redis = RedisServer::start();
    let site = Site::new();
    let modules = root().join("target/guests/examples");
    let url = format!("redis://127.0.0.1:{}", redis.port());
    site.run(&[
        "demo",
        "--modules",
        modules.to_str().unwrap(),
        "--broker",
        &url,
    ])
    .ok();
    let keys: Vec<String> = redis::Commands::keys(&mut redis.connection(), "*").unwrap();
    assert!(keys.is_empty(), "{keys:?}");
}

/// The embedded broker by its settings: a worker, a result, dead letters, a full queue.
#[test]
fn the_embedded_broker() {
    let site = Site::new()
        .set("CHICORY_BROKER", "sqlite")
        .set("CHICORY_BROKER_REDIS_HOST", "")
        .set("CHICORY_BROKER_REDIS_PORT", "")
        .set("CHICORY_BROKER_SQLITE_PATH", "queue.db")
        .set("CHICORY_BROKER_SQLITE_CLAIM_MIN_IDLE_MS", "500")
        .set("CHICORY_BROKER_SQLITE_MAX_QUEUE_LENGTH", "2")
        .set("CHICORY_BROKER_SQLITE_DLQ_MAX_LENGTH", "1")
        .set("CHICORY_BROKER_SQLITE_RESULT_TTL", "60");
    site.deploy_with("infinite-loop", "[limits]\ntimeout = 600.0\n");
    for _ in 0..2 {
        site.enqueue(&["demo.gives-up", "x"]);
    }
    assert!(
        site.run(&["enqueue", "demo.noop"])
            .fails(1)
            .contains("QueueFull")
    );
    assert!(site.path("queue.db").is_file());
    let mut worker = site.worker(&[]);
    until("both dead", || {
        worker.count("failed, and dead-lettered") == 2
    });
    let sum = site
        .run(&["enqueue", "demo.add", "1", "2", "--wait", "--json"])
        .json();
    assert_eq!(sum["result"], 3);
    assert_eq!(site.run(&["dlq", "count"]).ok(), "1");
    let taken_over = site.enqueue(&["infinite-loop.spin"]);
    site.until_delivered();
    worker.kill();
    site.deploy("infinite-loop");
    let next = site.worker(&[]);
    next.line_about("reclaimed", &taken_over);
    let result: Value = site.wait_for(&taken_over);
    assert!(
        result["error"].as_str().unwrap().starts_with("Timeout: "),
        "{result}"
    );
}
