//! `chicory:task`: context, log and progress.
//!
//! Written with bindings that wasmtime derives from `wit/`, so that the two can't drift apart.
//! Must not know the queue.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{Component, HasSelf, Linker};

use super::contract::{Access, Capability};
use super::import::Import;
use crate::ended::Level;
use crate::settings::Grants;
use crate::state::CallState;
use bindings::chicory::task::{context, log, progress};

mod bindings {
    wasmtime::component::bindgen!({ path: "wit", world: "chicory:task/imports" });
}

/// Chicory's own interfaces, which every guest may use: they describe the call, and report to its caller.
pub(super) struct Task;

const INTERFACES: [&str; 4] = [
    "chicory:task/context",
    "chicory:task/log",
    "chicory:task/progress",
    "chicory:task/types",
];

impl Capability for Task {
    fn offers(&self, import: Import<'_>) -> bool {
        import.is_of(&INTERFACES, "0.1")
    }

    fn access(&self, _: &str, _: &Grants) -> Access {
        Access::Free
    }

    fn link(
        &self,
        l: &mut Linker<CallState>,
        interface: &str,
        _: &Component,
    ) -> wasmtime::Result<()> {
        match interface {
            "chicory:task/context" => context::add_to_linker::<_, HasSelf<_>>(l, |call| call),
            "chicory:task/log" => log::add_to_linker::<_, HasSelf<_>>(l, |call| call),
            "chicory:task/progress" => progress::add_to_linker::<_, HasSelf<_>>(l, |call| call),
            // `types` has nothing to implement.
            _ => Ok(()),
        }
    }
}

impl context::Host for CallState {
    fn id(&mut self) -> String {
        self.context.id.to_string()
    }

    fn name(&mut self) -> String {
        self.context.name.to_string()
    }

    fn retries(&mut self) -> u32 {
        self.context.retries
    }

    fn max_retries(&mut self) -> u32 {
        self.context.max_retries
    }

    fn remaining_retries(&mut self) -> u32 {
        self.context
            .max_retries
            .saturating_sub(self.context.retries)
    }

    fn is_last_retry(&mut self) -> bool {
        self.remaining_retries() == 0
    }

    fn deadline(&mut self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let deadline = SystemTime::now() + left;
        let since = deadline
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn last_error(&mut self) -> Option<String> {
        self.context.last_error.clone()
    }

    fn tenant(&mut self) -> Option<String> {
        self.context.tenant.clone()
    }
}

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.monitor.log().say(level, &message);
    }
}

impl progress::Host for CallState {
    fn report(&mut self, percent: f64, message: Option<String>) {
        self.monitor.log().progress(percent, message.as_deref());
    }
}
