//! The budget: what a task costs, in counts that don't depend on the machine's speed, compared with
//! `tests/budget.toml`.
//!
//! `make budget` records it again. Must not measure time.

mod calls;
mod drain;
mod recorded;

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use recorded::Recorded;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The task of all measures, the same as `chicory bench`'s.
const MODULE: &str = include_str!("../../host/cli/src/command/bench/guests/add.wat");

/// Prints which costs are above the budget. Arguments filter by name, as for any test.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, count] = arguments.as_slice()
        && first == calls::ARGUMENT
    {
        calls::make(count.parse().expect("a number of calls"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    if !filters.is_empty()
        && !filters
            .iter()
            .any(|filter| "budget".contains(filter.as_str()))
    {
        return ExitCode::SUCCESS;
    }
    let mut costs = drain::costs();
    match calls::instructions() {
        Ok(instructions) => costs.push(("instructions_per_call", instructions)),
        Err(reason) => println!("instructions_per_call is not measured: {reason}"),
    }
    if std::env::var_os("BUDGET").is_some_and(|value| value == "record") {
        Recorded::write(&costs);
        return ExitCode::SUCCESS;
    }
    if Recorded::read().holds(&costs) {
        ExitCode::SUCCESS
    } else {
        println!(
            "\nA task costs more than before. If that is worth it, record the new budget: make budget"
        );
        ExitCode::FAILURE
    }
}
