//! Several worker processes under one supervisor: restarted after a crash, stopped together.
//!
//! Must not know how a supervisor watches.

use std::collections::BTreeSet;

use chicory_testing::{Site, WorkerProcess, json, until, until_some};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::Commands;

/// The processes of all workers that have a heartbeat.
fn processes(site: &Site) -> BTreeSet<i32> {
    let mut redis = site.connection();
    let workers: Vec<String> = redis.smembers("chicory:workers").unwrap();
    let beats = workers.iter().filter_map(|id| {
        redis
            .get::<_, Option<String>>(format!("chicory:heartbeat:{id}"))
            .unwrap()
    });
    beats
        .map(|beat| i32::try_from(json(&beat)["pid"].as_i64().unwrap()).unwrap())
        .collect()
}

/// A zombie, which only waits for its parent, isn't alive.
fn is_alive(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[test]
fn a_crashed_process_is_started_again() {
    let site = Site::new();
    let mut supervisor = site.starting_worker(&["--workers", "2"]);
    let first = until_some("two processes", || {
        Some(processes(&site)).filter(|all| all.len() == 2)
    });
    let victim = *first.first().unwrap();
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    until("a third process", || {
        processes(&site).difference(&first).count() == 1
    });
    supervisor.line_where("the supervisor says so", |line| {
        line.to_string().contains(&victim.to_string())
    });
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);

    let all = processes(&site);
    supervisor.stop();
    assert!(
        all.into_iter()
            .all(|process| process == victim || !is_alive(process))
    );
}

/// When a supervisor is killed its processes stop too: they drain, and none is left over.
#[test]
fn no_process_outlives_its_supervisor() {
    let site = Site::new();
    let mut supervisor = site.starting_worker(&["-w", "2"]);
    let all = until_some("two processes", || {
        Some(processes(&site)).filter(|all| all.len() == 2)
    });
    supervisor.kill();
    until("the end of all processes", || {
        all.iter().all(|process| !is_alive(*process))
    });
    until("their signing off", || processes(&site).is_empty());
}

/// A benchmark that is told to stop also stops its workers.
#[test]
fn no_worker_outlives_its_benchmark() {
    let site = Site::new();
    let broker = format!("redis://127.0.0.1:{}", site.redis.port());
    let mut bench = WorkerProcess::start(site.command(&["bench", "idle", "--broker", &broker]));
    let worker = until_some("its worker", || processes(&site).first().copied());
    bench.signal(Signal::SIGTERM);
    assert_eq!(bench.ended().code(), Some(1));
    assert!(!is_alive(worker));
}
