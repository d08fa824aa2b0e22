//! The host's side of `chicory:task`: context, log and progress.
//!
//! Written with bindings that wasmtime derives from `wit/`, so that the two can't drift apart.
//! Must not know the queue.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasSelf, Linker};

use crate::ended::Level;
use crate::state::State;
use bindings::chicory::task::{context, log, progress};

mod bindings {
    wasmtime::component::bindgen!({ path: "wit", world: "chicory:task/imports" });
}

/// Links one interface of `chicory:task`, or answers that there is none of this name.
pub(crate) fn link(linker: &mut Linker<State>, interface: &str) -> wasmtime::Result<bool> {
    match interface {
        "chicory:task/context" => context::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
        "chicory:task/log" => log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
        "chicory:task/progress" => progress::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?,
        // It has only types, which need no implementation.
        "chicory:task/types" => {}
        _ => return Ok(false),
    }
    Ok(true)
}

impl context::Host for State {
    fn id(&mut self) -> String {
        self.context.id.clone()
    }

    fn name(&mut self) -> String {
        self.context.name.clone()
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

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.watch.journal().say(level, &message);
    }
}

impl progress::Host for State {
    fn report(&mut self, percent: f64, message: Option<String>) {
        self.watch.journal().progress(percent, message.as_deref());
    }
}
