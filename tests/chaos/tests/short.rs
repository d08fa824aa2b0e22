//! A short run of each kind of ground: nothing may be lost, doubled or left. `make chaos` takes minutes.
//!
//! Must not know the run's insides. A run ends by itself.

use std::process::Command;

use chicory_testing::{Ran, program};

/// Runs `chaos` with a seed whose few faults differ in kind. No time is asserted.
fn chaos(broker: &str, seed: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    command
        .args(["--broker", broker, "--seed", seed, "--seconds", "14"])
        .args(["--tasks", "600", "--calm", "2000"])
        // Beside other tests, a machine may be busy for long.
        .args(["--recovery", "60", "--lease", "8000", "--program"])
        .arg(program());
    let ran = Ran::of(command, b"");
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn redis() {
    chaos("redis", "19");
}

#[test]
fn sqlite() {
    chaos("sqlite", "3");
}
