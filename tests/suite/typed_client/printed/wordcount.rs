//! Calls of the module `wordcount` with their types, version 2dbfb363a5a0.
//!
//! Written by `chicory client`; needs the crates `chicory-queue` and `serde` (with `derive`). A float
//! that is not a number can't be sent, and a result with one can't be read.

use chicory_queue::Call;

/// A command: `args` are its arguments, `stdin` what it reads, the result what it prints.
pub fn run(args: &[&str], stdin: &str) -> Call<String> {
    let call = Call::new("wordcount.run").kwarg("stdin", stdin);
    args.iter().fold(call, |call, arg| call.arg(arg))
}
