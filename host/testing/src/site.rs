//! What one test needs: a redis-server, a folder with modules, and the program with a clean environment.
//!
//! Must not know what is tested.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use redis::Commands as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::guests::{guest, program, shared_folder};
use crate::{Ran, RedisServer, WorkerProcess, until, until_some};

/// One test's surroundings. All of it is gone with the value.
#[derive(Debug)]
pub struct Site {
    /// Its server.
    pub redis: RedisServer,
    directory: TempDir,
    variables: BTreeMap<String, String>,
}

impl Site {
    /// A site with a Redis server of its own and the module `demo`.
    pub fn new() -> Self {
        Self::on(RedisServer::start())
    }

    /// The same on this server.
    pub fn on(redis: RedisServer) -> Self {
        let site = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            variables: BTreeMap::new(),
            redis,
        };
        fs::create_dir(site.modules()).expect("a new folder");
        site.deploy("demo");
        let port = site.redis.port().to_string();
        site.set("CHICORY_BROKER_REDIS_HOST", "127.0.0.1")
            .set("CHICORY_BROKER_REDIS_PORT", &port)
    }

    /// The same with a variable in the program's environment.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The folder that workers take modules from.
    pub fn modules(&self) -> PathBuf {
        self.path("modules")
    }

    /// A path in the site's folder, which is the program's current one.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the site's folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the folder can be written to");
        path
    }

    /// Deploys an example or a test guest with its manifest.
    pub fn deploy(&self, module: &str) {
        let manifest = fs::read_to_string(guest(module).with_extension("toml"));
        self.deploy_with(module, &manifest.unwrap_or_default());
    }

    /// Deploys an example or a test guest with this manifest.
    pub fn deploy_with(&self, module: &str, manifest: &str) -> PathBuf {
        let wasm = self.modules().join(format!("{module}.wasm"));
        fs::write(wasm.with_extension("toml"), manifest).expect("the folder can be written to");
        // Renamed once it is complete: a worker may be watching.
        let partial = wasm.with_extension("part");
        fs::copy(guest(module), &partial).expect("a guest can be copied");
        fs::rename(&partial, &wasm).expect("a file can be renamed");
        wasm
    }

    /// The program with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            // All tests share compiled modules, which are the same.
            .env("CHICORY_WORKER_CACHE_DIR", shared_folder().join("compiled"))
            // `CHICORY_WORKER_CONFINE=required cargo test --test suite` runs the suite with confined workers.
            .envs(std::env::vars_os().filter(|(name, _)| name == "CHICORY_WORKER_CONFINE"))
            .envs(&self.variables);
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, b"")
    }

    /// Runs the program to its end with this on its standard input.
    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        Ran::of(self.command(args), input)
    }

    /// Enqueues a task by the program, with these arguments and flags; the message's id.
    pub fn enqueue(&self, args: &[&str]) -> String {
        let ran = self.run(&[&["enqueue"], args].concat());
        ran.ok().to_owned()
    }

    /// Enqueues a task, and waits for the result, as it is stored.
    pub fn call(&self, args: &[&str]) -> Value {
        self.wait_for(&self.enqueue(args))
    }

    /// Waits until the task is seen to have started: its state is written after a while at work.
    pub fn until_started(&self, id: &str) {
        let mut redis = self.connection();
        let key = format!("chicory:state:{id}");
        until("the task at work", || {
            let state: Option<String> = redis.get(&key).expect("the server answers");
            state.as_deref() == Some("STARTED")
        });
    }

    /// Reads as a consumer that isn't a worker, and leaves the messages unsettled.
    pub fn read_as(&self, consumer: &str, count: u32) {
        let (stream, group) = ("chicory:stream:default", "chicory-workers");
        let count = count.to_string();
        self.redis.query::<()>(&[
            "XREADGROUP",
            "GROUP",
            group,
            consumer,
            "COUNT",
            &count,
            "STREAMS",
            stream,
            ">",
        ]);
    }

    /// Waits until a message of the default queue has been handed to a worker.
    pub fn until_delivered(&self) {
        until("a message with a worker", || {
            self.run(&["queue", "show", "--json"]).json()["pending"] == 1
        });
    }

    /// Starts a worker, and waits until it serves its queues.
    pub fn worker(&self, flags: &[&str]) -> WorkerProcess {
        self.starting_worker(flags).ready()
    }

    /// Starts a worker, and does not wait.
    pub fn starting_worker(&self, flags: &[&str]) -> WorkerProcess {
        let args: Vec<&str> = ["worker"].iter().chain(flags).copied().collect();
        WorkerProcess::start(self.command(&args))
    }

    /// The id of a worker, once it is known: a worker serves before it writes its first heartbeat.
    pub fn known_worker(&self) -> String {
        until_some("a worker's heartbeat", || {
            let workers = self.run(&["workers", "--json"]).json();
            workers[0]["worker_id"].as_str().map(str::to_owned)
        })
    }

    /// Waits for a task's result, as it is stored. A worker must be running.
    pub fn wait_for(&self, id: &str) -> Value {
        let ran = self.run(&["result", id, "--wait", "--timeout", "60s", "--json"]);
        crate::json(&ran.stdout)
    }

    /// A plain connection to the Redis server.
    pub fn connection(&self) -> redis::Connection {
        self.redis.connection()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}
