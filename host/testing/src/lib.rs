//! What tests of several crates share: a redis-server per test, brokers on it or in a file, the real
//! program as a process with its log as values, guests, and waiting for events.
//!
//! A dev-dependency only, and never published. Everything panics where a test can't continue. What a value
//! starts or creates is gone with the value. Must not know the worker, the sandbox or the program's
//! crates: the program is driven from outside.

pub mod components;
mod guests;
mod processes;
mod queue;
mod ran;
mod redis_cluster;
mod redis_sentinels;
mod redis_server;
mod server_process;
mod site;
mod sqlite_file;
#[cfg(feature = "conformance")]
mod stores;
mod until;
mod worker_process;

pub use guests::{guest, program, root};
pub use processes::{memory, signal, start_group};
pub use queue::{Queue, completion, connect, message, messages, settle, success};
pub use ran::{Ran, json};
pub use redis_cluster::RedisCluster;
pub use redis_sentinels::RedisSentinels;
pub use redis_server::RedisServer;
pub use server_process::ServerProcess;
pub use site::Site;
pub use sqlite_file::SqliteFile;
pub use until::{PATIENCE, until, until_some, until_some_within};
pub use worker_process::{WorkerProcess, assert_each_once};
