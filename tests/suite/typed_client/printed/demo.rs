//! Calls of the module `demo` with their types, version e326aaad9241.
//!
//! Written by `chicory client`; needs the crates `chicory-queue` and `serde` (with `derive`). A float
//! that is not a number can't be sent, and a result with one can't be read.

use chicory_queue::Call;

/// `func(a: u32, b: u32) -> result<u32, string>`
pub fn add(a: u32, b: u32) -> Call<u32> {
    Call::new("demo.add").arg(a).arg(b)
}

/// `func() -> result<string, string>`
pub fn always_fails() -> Call<String> {
    Call::new("demo.always-fails")
}

/// `func() -> u64`
pub fn eat_memory() -> Call<u64> {
    Call::new("demo.eat-memory")
}

/// `func() -> result<u32, string>`
pub fn flaky() -> Call<u32> {
    Call::new("demo.flaky")
}

/// `func(reason: string) -> result<string, variant { retry(string), retry-after(record { message: string, delay-ms: u64 }), fatal(string) }>`
pub fn gives_up(reason: &str) -> Call<String> {
    Call::new("demo.gives-up").arg(reason)
}

/// `func(name: string) -> string`
pub fn greet(name: &str) -> Call<String> {
    Call::new("demo.greet").arg(name)
}

/// `func(steps: u32) -> u32`
pub fn log_and_progress(steps: u32) -> Call<u32> {
    Call::new("demo.log-and-progress").arg(steps)
}

/// `func()`
pub fn noop() -> Call<()> {
    Call::new("demo.noop")
}

/// `func(delay-ms: u64) -> result<string, variant { retry(string), retry-after(record { message: string, delay-ms: u64 }), fatal(string) }>`
pub fn rate_limited(delay_ms: u64) -> Call<String> {
    Call::new("demo.rate-limited").arg(delay_ms)
}

/// `func()`
pub fn spin() -> Call<()> {
    Call::new("demo.spin")
}
