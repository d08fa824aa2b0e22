//! Every setting of Chicory for Python's Redis broker by its name, each seen to have its effect.
//!
//! Delivery modes, dead letters and results have files of their own. Must not know the brokers' insides.

use std::fs;
use std::time::Duration;

use chicory_testing::{RedisServer, Site, root, until, until_some};
use redis::Commands;

const STREAM: &str = "chicory:stream:default";

#[test]
fn host() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_HOST", "127.0.0.2");
    let error = site.run(&["enqueue", "demo.noop"]);
    assert!(error.fails(3).contains("127.0.0.2"), "{error:?}");
    let site = site.set("CHICORY_BROKER_REDIS_HOST", "127.0.0.1");
    site.enqueue(&["demo.noop"]);
}

#[test]
fn port() {
    let site = Site::new();
    let other = RedisServer::start();
    let site = site.set("CHICORY_BROKER_REDIS_PORT", &other.port().to_string());
    site.enqueue(&["demo.noop"]);
    let length: usize = other.connection().xlen(STREAM).unwrap();
    assert_eq!(length, 1);
    let length: usize = site.connection().xlen(STREAM).unwrap();
    assert_eq!(length, 0);
}

#[test]
fn db() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_DB", "3");
    site.enqueue(&["demo.noop"]);
    let mut redis = site.connection();
    assert!(!redis.exists::<_, bool>(STREAM).unwrap());
    redis::cmd("SELECT").arg(3).exec(&mut redis).unwrap();
    assert!(redis.exists::<_, bool>(STREAM).unwrap());
}

#[test]
fn username_and_password() {
    let site = Site::new();
    let mut redis = site.connection();
    let rules = [
        "SETUSER",
        "alice",
        "on",
        ">open-sesame",
        "~chicory:*",
        "resetchannels",
        "&chicory:*",
        "+@all",
    ];
    redis::cmd("ACL").arg(&rules).exec(&mut redis).unwrap();
    redis::cmd("AUTH")
        .arg(&["alice", "open-sesame"])
        .exec(&mut redis)
        .unwrap();
    redis::cmd("ACL")
        .arg(&["SETUSER", "default", "off"])
        .exec(&mut redis)
        .unwrap();

    let nobody = site.run(&["enqueue", "demo.noop"]);
    assert!(
        nobody.fails(2).contains("username and password"),
        "{nobody:?}"
    );
    let site = site
        .set("CHICORY_BROKER_REDIS_USERNAME", "alice")
        .set("CHICORY_BROKER_REDIS_PASSWORD", "guessed-wrong");
    let wrong = site.run(&["enqueue", "demo.noop"]);
    assert!(!wrong.fails(2).contains("guessed-wrong"), "{wrong:?}");
    let site = site.set("CHICORY_BROKER_REDIS_PASSWORD", "open-sesame");
    let id = site.enqueue(&["demo.add", "1", "2"]);
    let worker = site.worker(&[]);
    worker.line_about("done", &id);
    assert_eq!(site.wait_for(&id)["result"], 3);
    let shown = site.run(&["config", "show"]);
    assert!(!shown.ok().contains("open-sesame"), "{shown:?}");
    assert!(!format!("{:?}", worker.lines()).contains("open-sesame"));
}

#[test]
fn url_takes_precedence_over_the_parts() {
    let site = Site::new();
    let url = format!("redis://127.0.0.1:{}/2", site.redis.port());
    let site = site
        .set("CHICORY_BROKER_REDIS_HOST", "127.0.0.2")
        .set("CHICORY_BROKER_REDIS_PORT", "1")
        .set("CHICORY_BROKER_REDIS_DB", "9")
        .set("CHICORY_BROKER_REDIS_URL", &url);
    site.enqueue(&["demo.noop"]);
    let mut redis = site.connection();
    redis::cmd("SELECT").arg(2).exec(&mut redis).unwrap();
    assert!(redis.exists::<_, bool>(STREAM).unwrap());
}

#[test]
fn a_unix_socket_as_url() {
    let site = Site::new();
    let url = format!("unix://{}", site.redis.socket().display());
    let site = site
        .set("CHICORY_BROKER_REDIS_PORT", "1")
        .set("CHICORY_BROKER_REDIS_URL", &url);
    let id = site.enqueue(&["demo.noop"]);
    site.worker(&[]).line_about("done", &id);
}

#[test]
fn consumer_group() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_CONSUMER_GROUP", "night-shift");
    let _worker = site.worker(&[]);
    let mut redis = site.connection();
    let groups = until_some("the group", || {
        redis
            .xinfo_groups::<_, redis::streams::StreamInfoGroupsReply>(STREAM)
            .ok()
    });
    let names: Vec<_> = groups
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(names, ["night-shift"]);
}

#[test]
fn block_ms() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_BLOCK_MS", "1234");
    let mut monitor = site.connection();
    monitor
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    monitor
        .send_packed_command(&redis::cmd("MONITOR").get_packed_command())
        .unwrap();
    let _worker = site.worker(&[]);
    loop {
        let line = format!("{:?}", monitor.recv_response().unwrap());
        if line.to_uppercase().contains("XREADGROUP") {
            assert!(line.contains("1234"), "{line}");
            return;
        }
    }
}

/// A consumer that isn't a worker takes a message and never settles it.
#[test]
fn claim_min_idle_ms() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "300");
    let id = site.enqueue(&["demo.add", "20", "22"]);
    let create = ["XGROUP", "CREATE", STREAM, "chicory-workers", "0"];
    site.redis.query::<()>(&create);
    site.read_as("ghost", 9);
    let worker = site.worker(&[]);
    worker.line_about("reclaimed", &id);
    assert_eq!(site.wait_for(&id)["result"], 42);
    assert_eq!(worker.tasks_once("done", 1), [id]);
}

#[test]
fn max_stream_length() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_MAX_STREAM_LENGTH", "3");
    let line = r#"{"name":"demo.noop"}"#;
    site.run_with_input(
        &["enqueue", "--file", "-"],
        [line, line].join("\n").as_bytes(),
    )
    .ok();
    let full = site.run_with_input(
        &["enqueue", "--file", "-"],
        [line, line].join("\n").as_bytes(),
    );
    let error = full.fails(1);
    assert!(
        error.contains("QueueFull") && error.contains('3'),
        "{error}"
    );
    let mut redis = site.connection();
    assert_eq!(redis.xlen::<_, usize>(STREAM).unwrap(), 2, "all or none");
    site.enqueue(&["demo.noop"]);
    assert!(
        site.run(&["enqueue", "demo.noop"])
            .fails(1)
            .contains("QueueFull")
    );
    // A finished task makes room.
    let worker = site.worker(&[]);
    until("an empty stream", || {
        redis.xlen::<_, usize>(STREAM).unwrap() == 0
    });
    assert_eq!(worker.tasks_once("done", 3).len(), 3);
    site.enqueue(&["demo.noop"]);
}

#[test]
fn dlq_max_length() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_DLQ_MAX_LENGTH", "10");
    let lines: Vec<_> = (0..15)
        .map(|number| format!(r#"{{"name":"nobody.knows","id":"dead-{number}"}}"#))
        .collect();
    site.run_with_input(&["enqueue", "--file", "-"], lines.join("\n").as_bytes())
        .ok();
    let worker = site.worker(&["--concurrency", "1"]);
    worker.line_about("failed, and dead-lettered", "dead-14");
    assert_eq!(site.run(&["dlq", "count"]).ok(), "10");
    site.run(&["dlq", "show", "dead-5"]).ok();
    let gone = site.run(&["dlq", "show", "dead-4"]);
    assert!(
        gone.fails(1).contains("dead-4"),
        "the oldest go first: {gone:?}"
    );
}

#[test]
fn key_prefix() {
    let site = Site::new().set("CHICORY_BROKER_REDIS_KEY_PREFIX", "acme");
    let mut redis = site.connection();
    let ids = ["demo.noop", "demo.gives-up", "demo.greet"].map(|task| {
        let args = if task == "demo.noop" {
            &["enqueue", task][..]
        } else {
            &["enqueue", task, "x"]
        };
        site.run(args).ok().to_owned()
    });
    site.enqueue(&["demo.noop", "--delay", "1h"]);
    let _worker = site.worker(&[]);
    for id in &ids {
        site.wait_for(id);
    }
    let keys: Vec<String> = redis.keys("*").unwrap();
    assert!(keys.iter().all(|key| key.starts_with("acme:")), "{keys:?}");
    for key in [
        "acme:stream:default",
        "acme:delayed:default",
        "acme:dlq:default",
        "acme:workers",
    ] {
        assert!(
            keys.iter().any(|found| found == key),
            "{key} is not among {keys:?}"
        );
    }
    let result: Option<String> = redis.get(format!("acme:result:{}", ids[2])).unwrap();
    assert!(result.unwrap().contains("Hello, x!"));
}

#[test]
fn the_settings_file_by_the_same_names() {
    let site = Site::new();
    let port = site.redis.port();
    let text = format!("[broker.redis]\nport = {port}\nkey_prefix = \"filed\"\n");
    site.write("chicory.toml", text);
    let site = site.set("CHICORY_BROKER_REDIS_PORT", "");
    site.enqueue(&["demo.noop"]);
    let site = site.set("CHICORY_BROKER_REDIS_KEY_PREFIX", "from-environment");
    site.enqueue(&["demo.noop"]);
    let mut keys: Vec<String> = site.connection().keys("*:stream:default").unwrap();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["filed:stream:default", "from-environment:stream:default"]
    );
}

/// Each setting that there is stands in a test of this suite by its variable's name.
#[test]
fn no_setting_without_a_test_that_names_it() {
    let site = Site::new();
    let mut tests = String::new();
    for entry in fs::read_dir(root().join("tests/suite")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            tests.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    let settings = site.run(&["config", "show", "--json"]).json();
    let names = settings
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| setting["variable"].as_str().unwrap());
    let missing: Vec<_> = names
        .filter(|name| !tests.contains(&format!("{name}\"")))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}
