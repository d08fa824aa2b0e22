//! Faults in the middle of a rollout: each has one clear outcome.
//!
//! Must not know how a rollout works inside.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chicory_testing::components::answering;
use chicory_testing::{RedisServer, Site, json, signal, until, until_some};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::versions::{deploy, write};

/// Workers of this site are missed a second after their last heartbeat.
fn fleet(redis: RedisServer) -> Site {
    let site = Site::on(redis);
    std::fs::remove_dir_all(site.modules()).expect("it is there");
    site.set("CHICORY_WORKER_HEARTBEAT_INTERVAL", "0.3")
        .set("CHICORY_WORKER_HEARTBEAT_TTL", "1")
}

/// A deploy that continues while the test does.
struct Deploying(Child);

impl Deploying {
    fn begin(site: &Site, number: u32, flags: &[&str]) -> Self {
        let name = format!("v{number}");
        write(site, &name, &answering(number), "");
        let file = format!("{name}.wasm");
        let args: Vec<&str> = ["deploy", &file, "--name", "m"]
            .iter()
            .chain(flags)
            .copied()
            .collect();
        let mut command: Command = site.command(&args);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the program can be started"))
    }

    fn ended(&mut self) -> i32 {
        let status = until_some("the deploy's end", || {
            self.0.try_wait().expect("it is our child")
        });
        status.code().expect("it was not killed")
    }
}

impl Drop for Deploying {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stored(site: &Site) -> Value {
    let mut redis = site.connection();
    let record: Option<String> = redis::cmd("HGET")
        .arg("chicory:registry:records")
        .arg("m")
        .query(&mut redis)
        .expect("the server answers");
    record.map_or(Value::Null, |record| json(&record))
}

fn answer(site: &Site) -> Value {
    site.call(&["m.answer"])["result"].clone()
}

#[test]
fn a_worker_that_is_killed_is_not_waited_for() {
    let site = fleet(RedisServer::start());
    let mut dying = site.worker(&[]);
    let _other = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    dying.signal(Signal::SIGSTOP);
    let mut deploying = Deploying::begin(&site, 2, &[]);
    until("a rollout", || !stored(&site)["rollout"].is_null());
    dying.kill();
    assert_eq!(deploying.ended(), 0);
    assert_eq!(answer(&site), 2);
}

/// Case Q22: the heartbeat of a worker that was killed lasts for half a minute, and nobody waits for that.
#[test]
fn q22_a_deploy_leaves_a_killed_worker_out_although_its_heartbeat_lasts() {
    let site = fleet(RedisServer::start())
        .set("CHICORY_WORKER_HEARTBEAT_INTERVAL", "20")
        .set("CHICORY_WORKER_HEARTBEAT_TTL", "300");
    let mut dying = site.worker(&[]);
    let other = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    let listening = || {
        let workers = site.run(&["workers", "--json"]).json();
        let workers = workers.as_array().expect("a list").iter();
        workers.filter(|worker| worker["listens"] == true).count()
    };
    until("two workers that listen", || listening() == 2);
    dying.kill();
    let begun = Instant::now();
    let told = deploy(&site, "m", &answering(2), &["--json"]);
    let took = begun.elapsed();
    assert_eq!(json(told.ok())["workers"], 1);
    assert!(took < Duration::from_secs(15), "{took:?}");
    println!("the deploy took {took:?}");
    assert_eq!(answer(&site), 2);
    drop(other);
}

/// Heartbeats and records say which program wrote them, and in which format.
#[test]
fn heartbeats_and_records_say_which_version_wrote_them() {
    let site = fleet(RedisServer::start());
    let _worker = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    site.known_worker();
    let workers = site.run(&["workers", "--json"]).json();
    for written in [&workers[0], &stored(&site)] {
        assert_eq!(written["program"], env!("CARGO_PKG_VERSION"), "{written}");
        assert_eq!(written["format"], 1, "{written}");
    }
}

#[test]
fn a_worker_that_does_not_answer_stops_the_rollout_by_name() {
    let site = fleet(RedisServer::start()).set("CHICORY_WORKER_HEARTBEAT_TTL", "60");
    let silent = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    let id = site.known_worker();
    silent.signal(Signal::SIGSTOP);
    let refused = deploy(&site, "m", &answering(2), &["--timeout", "1s"]);
    silent.signal(Signal::SIGCONT);
    let reason = refused.fails(1);
    assert!(
        reason.contains("no answer") && reason.contains(&id),
        "{reason}"
    );
    assert_eq!(stored(&site)["rollout"], Value::Null);
    assert_eq!(answer(&site), 1);
    deploy(&site, "m", &answering(2), &[]).ok();
    assert_eq!(answer(&site), 2);
}

#[test]
fn a_worker_that_refuses_is_named_with_its_reason() {
    let site = fleet(RedisServer::start());
    let _worker = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    std::fs::create_dir(site.path("own")).expect("a new folder");
    write(&site, "own/m", &answering(9), "");
    let _stubborn = site.worker(&["--modules", "own"]);
    let refused = deploy(&site, "m", &answering(2), &[]);
    let reason = refused.fails(1);
    assert!(
        reason.contains("serves the module \"m\" from its own folder"),
        "{reason}"
    );
    assert_eq!(stored(&site)["rollout"], Value::Null);
}

#[test]
fn of_two_deploys_at_once_each_ends_clearly() {
    let site = fleet(RedisServer::start());
    let _workers = [site.worker(&[]), site.worker(&[])];
    deploy(&site, "m", &answering(1), &[]).ok();
    for round in 0..3 {
        let numbers = [10 + round, 20 + round];
        let mut deploys = numbers.map(|number| Deploying::begin(&site, number, &[]));
        let codes = [deploys[0].ended(), deploys[1].ended()];
        let record = stored(&site);
        assert_eq!(record["rollout"], Value::Null);
        let active = answer(&site);
        let won = numbers
            .iter()
            .zip(codes)
            .any(|(number, code)| code == 0 && active == *number);
        assert!(won, "{codes:?}, and {active} is active");
    }
}

#[test]
fn a_deploy_that_is_killed_leaves_a_rollout_that_expires() {
    let site = fleet(RedisServer::start());
    let workers = [site.worker(&[]), site.worker(&[])];
    deploy(&site, "m", &answering(1), &[]).ok();
    workers[0].signal(Signal::SIGSTOP);
    let deploying = Deploying::begin(&site, 2, &["--timeout", "2s"]);
    until("a rollout", || !stored(&site)["rollout"].is_null());
    signal(deploying.0.id(), Signal::SIGKILL).expect("it is ours to signal");
    workers[0].signal(Signal::SIGCONT);
    until("the end of the rollout", || {
        stored(&site)["rollout"].is_null()
    });
    assert_eq!(answer(&site), 1);
    deploy(&site, "m", &answering(3), &[]).ok();
    assert_eq!(answer(&site), 3);
}

#[test]
fn a_server_that_restarts_in_the_middle_is_waited_for() {
    let mut site = fleet(RedisServer::start_durable());
    let worker = site.worker(&[]);
    deploy(&site, "m", &answering(1), &[]).ok();
    worker.signal(Signal::SIGSTOP);
    let mut deploying = Deploying::begin(&site, 2, &[]);
    until("a rollout", || !stored(&site)["rollout"].is_null());
    site.redis.stop();
    worker.signal(Signal::SIGCONT);
    site.redis.start_again();
    assert_eq!(deploying.ended(), 0);
    assert_eq!(answer(&site), 2);
}
