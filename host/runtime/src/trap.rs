//! From wasmtime's errors to endings.
//!
//! Must not know the task's types.

use std::fmt::Write as _;

use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::ended::How;
use crate::limits::ResolvedLimits;

/// Why the host stopped a guest that was computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the timeout has passed")]
    Timeout,
    #[error("the CPU time is used up")]
    Cpu,
}

/// The exit code, if that is how a guest ended.
pub(crate) fn exit_code(error: &Error) -> Option<i32> {
    error.downcast_ref::<I32Exit>().map(|exit| exit.0)
}

/// Whether it is the trap of a panic or an abort.
pub(crate) fn is_panic(error: &Error) -> bool {
    error.downcast_ref::<Trap>() == Some(&Trap::UnreachableCodeReached)
}

/// The ending of a call for which wasmtime gave an error.
pub(crate) fn ending(error: &Error, limits: &ResolvedLimits) -> How {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        let backtrace = backtrace(error);
        return match stop {
            Stop::Timeout => How::TimedOut {
                limit: limits.timeout,
                backtrace,
            },
            Stop::Cpu => How::OutOfCpu {
                limit: limits.cpu_time.unwrap_or_default(),
                backtrace,
            },
        };
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::OutOfFuel) {
        return How::OutOfFuel {
            limit: limits.fuel.unwrap_or_default(),
        };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return How::HostFailed(format!("no room in the pool: {error:#}"));
    }
    How::Trapped {
        message: describe(error),
    }
}

/// The cause, followed by a backtrace.
fn describe(error: &Error) -> String {
    let cause = error.root_cause().to_string();
    let mut text = cause
        .strip_prefix("wasm trap: ")
        .unwrap_or(&cause)
        .to_owned();
    if cause.contains("fuel allocated for hostcalls") {
        text = "more data between guest and host than the limit host_call_bytes allows".into();
    }
    if let Some(backtrace) = backtrace(error) {
        let _ = write!(text, "\n{backtrace}");
    }
    text
}

/// The names of the guest's functions, innermost first, one per line, without addresses.
fn backtrace(error: &Error) -> Option<String> {
    let trace = error.downcast_ref::<WasmBacktrace>()?;
    let lines: Vec<_> = trace
        .to_string()
        .lines()
        .skip(1)
        .map(without_address)
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// `  0:  0x1a2 - <unknown>!f` becomes `  0: f`.
fn without_address(line: &str) -> String {
    let Some((number, rest)) = line.split_once(": ") else {
        return line.to_owned();
    };
    let function = rest
        .split_once(" - ")
        .map_or(rest, |(_, function)| function);
    let function = function.strip_prefix("<unknown>!").unwrap_or(function);
    format!("{number}: {function}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lose_their_addresses_and_keep_their_names() {
        assert_eq!(
            without_address("    0:   0x3f - <unknown>!core::panicking::panic"),
            "    0: core::panicking::panic"
        );
        assert_eq!(
            without_address("    1: 0x1234 - m!<wasm function 12>"),
            "    1: m!<wasm function 12>"
        );
    }
}
