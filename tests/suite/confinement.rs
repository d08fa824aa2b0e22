//! Processes that give up what they don't need: workers by `[worker] confine`, and those that compile, always.
//!
//! What they can't do any more is tried in `host/confine/tests`. Here, the real ones are looked at, and do their work.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use chicory_testing::components::{answering, assemble};
use chicory_testing::{Site, until};
use serde_json::json;

/// What the kernel says about a process, such as `Seccomp`.
fn status(pid: u32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is alive");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

fn is_confined(pid: u32) {
    assert_eq!(status(pid, "NoNewPrivs"), "1");
    assert_eq!(status(pid, "Seccomp"), "2", "filtered");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it is alive");
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let cores: Vec<_> = cores.unwrap_or_default().split_whitespace().collect();
    assert!(
        cores[4..6].iter().all(|limit| ["0", "1"].contains(limit)),
        "{cores:?}"
    );
}

/// A site whose workers must confine themselves; none on a kernel that can't, where it is checked that they refuse.
fn required() -> Option<Site> {
    let site = Site::new().set("CHICORY_WORKER_CONFINE", "on");
    let worker = site.worker(&[]);
    let lacks = worker.count("this worker can't be confined fully") > 0;
    drop(worker);
    let site = site.set("CHICORY_WORKER_CONFINE", "required");
    if !lacks {
        return Some(site);
    }
    let refused = site.run(&["worker"]);
    assert!(refused.fails(2).contains("[worker] confine"), "{refused:?}");
    None
}

/// Modules from the folder and from the registry, one of them compiled only now, and new files in the folder.
#[test]
fn a_confined_worker_does_all_its_work() {
    let Some(site) = required() else { return };
    // Compiled by this worker, into a cache of its own.
    let cache = site.path("cache");
    let site = site.set("CHICORY_WORKER_CACHE_DIR", cache.to_str().expect("text"));
    let worker = site.worker(&[]);
    is_confined(worker.pid());
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    site.write("late.part", assemble(&answering(7)));
    fs::rename(site.path("late.part"), site.modules().join("late.wasm"))
        .expect("it can be renamed");
    worker.line("loaded the changed module");
    assert_eq!(site.call(&["late.answer"])["result"], 7);
    let deployed = site.write("deployed.wasm", assemble(&answering(8)));
    site.run(&["deploy", deployed.to_str().expect("text")]).ok();
    assert_eq!(site.call(&["deployed.answer"])["result"], 8);
    assert!(fs::read_dir(cache).expect("it was made").next().is_some());
}

#[test]
fn confined_workers_of_a_supervisor_are_told_to_stop() {
    let Some(site) = required() else { return };
    let mut worker = site.worker(&["--workers", "2"]);
    assert_eq!(site.call(&["demo.add", "1", "2"])["result"], 3);
    worker.stop();
}

#[test]
fn a_confined_worker_serves_the_embedded_broker() {
    let Some(site) = required() else { return };
    let site = site.set("CHICORY_BROKER", "sqlite:data/queue.db");
    fs::create_dir(site.path("data")).expect("a new folder");
    let worker = site.worker(&[]);
    let ran = site.run(&["enqueue", "demo.add", "1", "2", "--wait"]);
    assert_eq!(ran.json(), json!(3));
    drop(worker);
}

#[test]
fn what_compiles_is_always_confined() {
    let site = Site::new();
    let mut child = site
        .command(&["compile"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut input = child.stdin.take().expect("piped");
    let order = json!({ "fuel": false, "source_lines": false, "features": { "gc": false, "memory64": false }, "max_memory": 1_u64 << 31, "cpu_seconds": 60 });
    writeln!(input, "{order}").expect("it reads");
    // It waits for the module.
    until("its confinement", || status(child.id(), "Seccomp") == "2");
    is_confined(child.id());
    input.write_all(&assemble(&answering(1))).expect("it reads");
    drop(input);
    let mut code = Vec::new();
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    output.fill_buf().expect("it answers");
    output.read_to_end(&mut code).expect("it ends");
    let ended = child.wait().expect("it is our child");
    assert!(
        ended.success() && code.len() > 1000,
        "{ended}, {} bytes",
        code.len()
    );
}

/// Folders of the policy are open to modules that are granted them; nothing else is, whoever asks.
#[test]
fn a_confined_worker_reaches_the_folders_of_the_policy() {
    let Some(site) = required() else { return };
    let shelf = site.path("shelf");
    fs::create_dir(&shelf).expect("a new folder");
    site.write("shelf/book", "once upon a time");
    let shelf = shelf.to_str().expect("text");
    let grant = format!(
        "[grants]\ndirs = [{{ host = \"{shelf}\", guest = \"/shelf\", writable = true }}]\n"
    );
    site.deploy_with("reads-dirs", &grant);
    let site = site.set("CHICORY_POLICY_WRITABLE_DIRS", shelf);
    let _worker = site.worker(&[]);
    assert_eq!(
        site.call(&["reads-dirs.run", "list", "/shelf"])["result"],
        "book\n"
    );
    site.call(&["reads-dirs.run", "write", "/shelf/new", "mine"]);
    assert_eq!(
        fs::read_to_string(site.path("shelf/new")).expect("written"),
        "mine"
    );
}
