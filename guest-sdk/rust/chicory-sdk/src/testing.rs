//! Runs a task natively in an ordinary test, with a fake host.
//!
//! ```
//! use chicory_sdk::{context, progress, testing::Host};
//!
//! let seen = Host::new().retries(2, 3).run(|| {
//!     progress::report(50.0);
//!     context::is_last_retry()
//! });
//! assert!(!seen.result);
//! assert_eq!(seen.progress, [(50.0, None)]);
//! ```
//!
//! Must not know WebAssembly.

use std::cell::RefCell;

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::new());
}

/// What the task learns about its message, and what it reported to the host.
#[derive(Clone, Debug)]
pub struct Host {
    id: String,
    name: String,
    retries: u32,
    max_retries: u32,
    deadline: u64,
    last_error: Option<String>,
    tenant: Option<String>,
    log: Vec<(log::Level, String)>,
    progress: Vec<(f64, Option<String>)>,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// What the task returned.
    pub result: T,
    /// Lines of its log.
    pub log: Vec<(log::Level, String)>,
    /// Its reports, in percent.
    pub progress: Vec<(f64, Option<String>)>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// The first attempt of a message that is never retried, with a deadline in the far future.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: "test".into(),
            name: "test".into(),
            retries: 0,
            max_retries: 0,
            deadline: u64::from(u32::MAX) * 1000,
            last_error: None,
            tenant: None,
            log: Vec::new(),
            progress: Vec::new(),
        }
    }

    /// The message's id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = id.into();
        self
    }

    /// The task's name in the message.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The number of retries so far, and the number allowed.
    #[must_use]
    pub fn retries(mut self, before: u32, most: u32) -> Self {
        (self.retries, self.max_retries) = (before, most);
        self
    }

    /// When the attempt would be stopped, in milliseconds since 1970.
    #[must_use]
    pub fn deadline(mut self, milliseconds: u64) -> Self {
        self.deadline = milliseconds;
        self
    }

    /// The error of the previous attempt.
    #[must_use]
    pub fn last_error(mut self, error: &str) -> Self {
        self.last_error = Some(error.into());
        self
    }

    /// The task's tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Runs `task` on this thread, with this host.
    pub fn run<T>(self, task: impl FnOnce() -> T) -> Seen<T> {
        crate::host::start();
        HOST.set(self);
        let result = task();
        let host = HOST.take();
        Seen {
            result,
            log: host.log,
            progress: host.progress,
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn write(level: log::Level, message: &str) {
    HOST.with_borrow_mut(|host| host.log.push((level, message.to_owned())));
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn progress(percent: f64, message: Option<&str>) {
    let report = (percent.clamp(0.0, 100.0), message.map(str::to_owned));
    HOST.with_borrow_mut(|host| host.progress.push(report));
}

/// The context of the thread's host.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod context {
    use super::{HOST, Host};

    fn ask<T>(what: impl FnOnce(&Host) -> T) -> T {
        HOST.with_borrow(what)
    }

    pub(crate) fn id() -> String {
        ask(|host| host.id.clone())
    }

    pub(crate) fn name() -> String {
        ask(|host| host.name.clone())
    }

    pub(crate) fn retries() -> u32 {
        ask(|host| host.retries)
    }

    pub(crate) fn max_retries() -> u32 {
        ask(|host| host.max_retries)
    }

    pub(crate) fn remaining_retries() -> u32 {
        max_retries().saturating_sub(retries())
    }

    pub(crate) fn is_last_retry() -> bool {
        remaining_retries() == 0
    }

    pub(crate) fn deadline() -> u64 {
        ask(|host| host.deadline)
    }

    pub(crate) fn last_error() -> Option<String> {
        ask(|host| host.last_error.clone())
    }

    pub(crate) fn tenant() -> Option<String> {
        ask(|host| host.tenant.clone())
    }
}
