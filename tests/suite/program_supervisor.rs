//! Several worker processes under one supervisor: restarted after a crash, stopped together.
//!
//! Must not know how a supervisor watches.

use std::collections::BTreeSet;

use chicory_testing::{Site, WorkerProcess, json, signal, until, until_some};
use nix::sys::signal::Signal;
use redis::Commands;

/// The processes of all workers that have a heartbeat.
fn processes(site: &Site) -> BTreeSet<u32> {
    let mut redis = site.connection();
    let workers: Vec<String> = redis.smembers("chicory:workers").unwrap();
    let beats = workers.iter().filter_map(|id| {
        redis
            .get::<_, Option<String>>(format!("chicory:heartbeat:{id}"))
            .unwrap()
    });
    beats
        .map(|beat| u32::try_from(json(&beat)["pid"].as_u64().unwrap()).unwrap())
        .collect()
}

/// A zombie, which only waits for its parent, isn't alive.
fn is_alive(process: u32) -> bool {
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
    signal(victim, Signal::SIGKILL).unwrap();
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

/// The processes of these workers, once there are `count`.
fn processes_once(site: &Site, count: usize) -> BTreeSet<u32> {
    until_some("all processes", || {
        Some(processes(site)).filter(|all| all.len() == count)
    })
}

/// Kills one of these processes; one that is left.
fn kill_one(all: &BTreeSet<u32>) -> u32 {
    let mut all = all.iter().copied();
    let victim = all.next().expect("there are two");
    signal(victim, Signal::SIGKILL).unwrap();
    all.next().expect("there are two")
}

/// Case Q3: what a process needs to start is broken when one of two is restarted.
#[test]
fn q3_a_process_that_cannot_start_again_is_tried_again_and_the_others_go_on() {
    let site = Site::new()
        .set("CHICORY_WORKER_HEARTBEAT_INTERVAL", "0.5")
        .set("CHICORY_WORKER_HEARTBEAT_TTL", "3");
    let supervisor = site.starting_worker(&["-w", "2"]);
    let settings = site.path("chicory.toml");
    let away = site.path("away");
    let modules = site.modules();
    for is_settings in [true, false] {
        let before = processes_once(&site, 2);
        let tried = supervisor.count("a worker can't start with this configuration");
        if is_settings {
            site.write("chicory.toml", "[worker\n");
        } else {
            std::fs::rename(&modules, &away).unwrap();
            // The folder is named, so that it must be there.
            site.write("chicory.toml", "[worker]\nmodules = \"modules\"\n");
        }
        let left = kill_one(&before);
        until("a try that fails", || {
            supervisor.count("a worker can't start with this configuration") > tried
        });
        assert!(is_alive(left), "the other continues");
        std::fs::remove_file(&settings).unwrap();
        if is_settings {
            assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
        } else {
            std::fs::rename(&away, &modules).unwrap();
        }
        until("another process", || {
            processes(&site).iter().any(|one| !before.contains(one))
        });
    }
}

/// Case Q3: no process can start at all, which is an error as with one process.
#[test]
fn q3_a_supervisor_none_of_whose_processes_can_start_ends() {
    let site = Site::new();
    let ran = site.run(&["worker", "-w", "2", "--modules", "nowhere"]);
    let error = ran.fails(2);
    assert!(
        error.contains("no worker can start with this configuration"),
        "{error}"
    );
}

/// Case Q3: the program's file is replaced while it runs.
#[test]
fn q3_the_running_program_is_started_again_not_what_replaced_its_file() {
    let site = Site::new();
    let program = site.path("program");
    let original = site.command(&["worker", "-w", "2"]);
    std::fs::copy(original.get_program(), &program).unwrap();
    let mut command = std::process::Command::new(&program);
    let variables = original.get_envs();
    command
        .args(original.get_args())
        .current_dir(site.path(""))
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))));
    let mut supervisor = WorkerProcess::start(command);
    let before = processes_once(&site, 2);
    let other = site.write("other", "not a program");
    std::fs::rename(other, &program).unwrap();
    kill_one(&before);
    until("another process", || {
        processes(&site).iter().any(|one| !before.contains(one))
    });
    supervisor.stop();
}
