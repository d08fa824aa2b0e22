//! Two versions of the program on one Redis: another commit's and this one, as workers, producers and operators.
//!
//! `make test-versions` builds the other program and runs this; `cargo test` doesn't. Must not know what differs between
//! the two.

use std::process::Command;

use chicory_testing::components::{answering, assemble};
use chicory_testing::{Ran, Site, WorkerProcess, json, until};
use redis::Commands;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Other,
    This,
}

/// Each with the one that it meets.
const PAIRS: [(Version, Version); 2] = [
    (Version::Other, Version::This),
    (Version::This, Version::Other),
];

impl Version {
    fn command(self, site: &Site, args: &[&str]) -> Command {
        let this = site.command(args);
        if self == Self::This {
            return this;
        }
        let program = std::env::var_os("CHICORY_OTHER_PROGRAM");
        let mut other = Command::new(program.expect("`make test-versions` builds it"));
        let variables = this.get_envs();
        other
            .args(this.get_args())
            .env_clear()
            .envs(variables.filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = this.get_current_dir() {
            other.current_dir(folder);
        }
        other
    }

    fn run(self, site: &Site, args: &[&str]) -> Ran {
        Ran::of(self.command(site, args), b"")
    }

    fn worker(self, site: &Site) -> WorkerProcess {
        WorkerProcess::start(self.command(site, &["worker"])).ready()
    }

    /// The result of a task that this version waits for.
    fn result(self, site: &Site, id: &str) -> Value {
        let args = ["result", id, "--wait", "--timeout", "60s", "--json"];
        json(&self.run(site, &args).stdout)
    }
}

/// Enqueues `count` additions, the last of them delayed, by a file.
fn enqueue(site: &Site, by: Version, count: usize) {
    let line = |number: usize| json!({ "id": format!("task-{number}"), "name": "demo.add", "args": [number, 1] });
    let mut lines: Vec<_> = (0..count).map(line).collect();
    let due = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    let due = due
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is past 1970");
    lines[count - 1]["eta"] = due.as_secs_f64().into();
    let text: Vec<_> = lines.iter().map(Value::to_string).collect();
    site.write("batch.jsonl", text.join("\n"));
    let ran = by.run(site, &["enqueue", "--file", "batch.jsonl", "--json"]);
    assert_eq!(ran.json()["enqueued"], count);
}

/// What one version has queued and begun, another one finishes.
#[test]
fn a_batch_goes_through_workers_of_both() {
    const COUNT: usize = 2000;
    for (first, second) in PAIRS {
        let site = Site::new().set("CHICORY_BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1000");
        enqueue(&site, first, COUNT);
        let mut dying = second.worker(&site);
        dying.line("done");
        dying.kill();
        let mut workers = [first.worker(&site), second.worker(&site)];
        for number in [0, 1, COUNT - 1] {
            let id = format!("task-{number}");
            assert_eq!(second.result(&site, &id)["result"], number + 1);
        }
        let mut redis = site.connection();
        until("an empty queue", || {
            let ready: usize = redis.xlen("chicory:stream:default").expect("an answer");
            let delayed: usize = redis.zcard("chicory:delayed:default").expect("an answer");
            ready + delayed == 0
        });
        workers.iter_mut().for_each(WorkerProcess::stop);
        for number in 0..COUNT {
            let result: Option<String> = redis
                .get(format!("chicory:result:task-{number}"))
                .expect("an answer");
            let result = json(&result.unwrap_or_else(|| panic!("task {number} was lost")));
            assert_eq!(result["result"], number + 1, "{result}");
        }
    }
}

/// A dead letter that one version has written is found and replayed by the other.
#[test]
fn dead_letters_of_one_are_replayed_by_the_other() {
    for (first, second) in PAIRS {
        let site = Site::new();
        let worker = first.worker(&site);
        let id = second.run(&site, &["enqueue", "demo.add", "1", "x"]);
        let id = id.ok().to_owned();
        worker.line_about("failed, and dead-lettered", &id);
        let found = second.run(&site, &["dlq", "show", &id, "--json"]).json();
        assert_eq!(found["task_id"], id.as_str());
        second.run(&site, &["dlq", "replay", &id]).ok();
        until("the second failure", || {
            worker.count("failed, and dead-lettered") == 2
        });
        assert_eq!(first.result(&site, &id)["state"], "FAILURE");
    }
}

/// Either deploys to, and rolls back, a fleet of both.
#[test]
fn a_fleet_of_both_takes_the_deploys_of_both() {
    for (first, second) in PAIRS {
        let site = Site::new();
        std::fs::remove_dir_all(site.modules()).expect("it is there");
        let _workers = [first.worker(&site), second.worker(&site)];
        let deploy = |by: Version, number: u32| {
            let file = format!("v{number}.wasm");
            site.write(&file, assemble(&answering(number)));
            let ran = by.run(&site, &["deploy", &file, "--name", "m", "--json"]);
            assert_eq!(json(ran.ok())["workers"], 2, "{by:?}");
        };
        let answers = |by: Version| {
            let id = by.run(&site, &["enqueue", "m.answer"]).ok().to_owned();
            by.result(&site, &id)["result"].clone()
        };
        deploy(first, 1);
        assert_eq!(answers(second), 1);
        deploy(second, 2);
        assert_eq!(answers(first), 2);
        first.run(&site, &["rollback", "m", "--json"]).ok();
        assert_eq!(answers(second), 1);
    }
}
