//! Small tasks that succeed, fail and misbehave: what `make demo` runs.
//!
//! Must not import WASI: these are the tasks of the smallest sandboxes.

use std::hint::black_box;

use chicory::task::log::{self, Level};
use chicory::task::types::Postponed;
use chicory::task::{context, progress};

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "examples:demo/demo",
    generate_all,
});

/// Bytes taken at each step of `eat-memory`.
const BITE: usize = 1 << 20;

struct Demo;

export!(Demo);

impl Guest for Demo {
    fn add(a: u32, b: u32) -> Result<u32, String> {
        a.checked_add(b)
            .ok_or_else(|| format!("{a} + {b} does not fit in 32 bits"))
    }

    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn noop() {}

    fn flaky() -> Result<u32, String> {
        let retries = context::retries();
        if retries < 2 {
            return Err(format!("the service is down (retry {retries})"));
        }
        Ok(retries + 1)
    }

    fn always_fails() -> Result<String, String> {
        Err("the address does not exist".into())
    }

    fn gives_up(reason: String) -> Result<String, TaskError> {
        Err(TaskError::Fatal(reason))
    }

    fn rate_limited(delay_ms: u64) -> Result<String, TaskError> {
        if context::retries() == 0 {
            return Err(TaskError::RetryAfter(Postponed {
                message: "too many requests".into(),
                delay_ms,
            }));
        }
        Ok(format!(
            "after: {}",
            context::last_error().unwrap_or_default()
        ))
    }

    fn spin() {
        let mut turns = 0u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn eat_memory() -> u64 {
        let mut eaten = Vec::new();
        while eaten.len() < 1 << 12 {
            eaten.push(black_box(vec![1u8; BITE]));
        }
        (eaten.len() * BITE) as u64
    }

    fn log_and_progress(steps: u32) -> u32 {
        for step in 1..=steps {
            log::write(Level::Info, &format!("step {step} of {steps}"));
            progress::report(f64::from(step) * 100.0 / f64::from(steps), None);
        }
        steps
    }
}
