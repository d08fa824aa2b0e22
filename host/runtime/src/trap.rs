//! From wasmtime's errors to endings.
//!
//! Must not know the task's types.

use std::fmt::{self, Write as _};

use chicory_signature::{Excerpt, MAX_NAME, MAX_TEXT, excerpt, printable};
use wasmtime::{Error, FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::ended::How;
use crate::limits::ResolvedLimits;
use crate::memory::OutOfMemory;
use crate::pressure::OutOfProcessMemory;

/// The longest name that is resolved, in bytes.
const MAX_MANGLED: usize = 4 << 10;

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
        return How::HostFailed(format!("no room in the pool: {}", cause(error)));
    }
    let message = describe(error);
    if error.is::<OutOfMemory>() || error.is::<OutOfProcessMemory>() {
        return How::OutOfMemory { message };
    }
    How::Trapped { message }
}

/// The cause, followed by a backtrace.
fn describe(error: &Error) -> String {
    let mut text = cause(error);
    if let Some(backtrace) = backtrace(error) {
        let _ = write!(text, "\n{backtrace}");
    }
    text
}

/// The innermost cause. Never the error as a whole: wasmtime shows a backtrace as a part of it, in which it resolves
/// the names of C++ without bounds.
pub(crate) fn cause(error: &Error) -> String {
    let cause = Excerpt::of(error.root_cause(), MAX_TEXT);
    if cause.contains("fuel allocated for hostcalls") {
        return "more data between guest and host than the limit host_call_bytes allows".into();
    }
    match cause.strip_prefix("wasm trap: ") {
        Some(cause) => cause.to_owned(),
        None => cause,
    }
}

/// The guest's functions, innermost first, one per line, without addresses.
fn backtrace(error: &Error) -> Option<String> {
    let frames = error.downcast_ref::<WasmBacktrace>()?.frames();
    if frames.is_empty() {
        return None;
    }
    let mut text = Excerpt::new(MAX_TEXT);
    for (number, frame) in frames.iter().enumerate() {
        let line_break = if number == 0 { "" } else { "\n" };
        let written = write!(text, "{line_break}  {number:>3}: ")
            .and_then(|()| describe_frame(&mut text, frame));
        if written.is_err() {
            break;
        }
    }
    Some(text.finish())
}

/// The function; where the module says so (DWARF), also what was inlined into it, and files and lines.
fn describe_frame(text: &mut Excerpt, frame: &FrameInfo) -> fmt::Result {
    let function = frame.func_name().map_or_else(
        || format!("<wasm function {}>", frame.func_index()),
        function_name,
    );
    if frame.symbols().is_empty() {
        if let Some(module) = frame.module().name() {
            write!(text, "{}!", one_line(module))?;
        }
        return text.write_str(&function);
    }
    for (depth, symbol) in frame.symbols().iter().enumerate() {
        if depth > 0 {
            text.write_str("\n                - ")?;
        }
        match symbol.name() {
            Some(name) => text.write_str(&function_name(name))?,
            None if depth == 0 => text.write_str(&function)?,
            None => text.write_str("<inlined function>")?,
        }
        if let Some(file) = symbol.file() {
            write!(text, "\n                    at {}", one_line(file))?;
            let position = [symbol.line(), symbol.column()];
            for number in position.iter().map_while(|number| *number) {
                write!(text, ":{number}")?;
            }
        }
    }
    Ok(())
}

/// A function's name as its author wrote it, if the author wrote Rust. The names of C++ stay as they are: a short one
/// can stand for gigabytes.
fn function_name(name: &str) -> String {
    if name.len() > MAX_MANGLED {
        return one_line(name);
    }
    let mut text = Excerpt::new(MAX_NAME);
    let written = match rustc_demangle::try_demangle(name) {
        Ok(plain) => write!(text, "{plain}"),
        Err(_) => text.write_str(name),
    };
    // It is full if that failed, which `finish` shows.
    let _ = written;
    one_line(&text.finish())
}

/// A name that a module gives, as a part of a line.
fn one_line(name: &str) -> String {
    printable(&excerpt(name, MAX_NAME)).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_are_resolved_and_others_stay() {
        assert_eq!(
            function_name("_ZN4core9panicking5panic17h0123456789abcdefE"),
            "core::panicking::panic::h0123456789abcdef"
        );
        assert_eq!(function_name("_RNvC6_123foo3bar"), "123foo::bar");
        assert_eq!(function_name("_Z1fv"), "_Z1fv");
        assert_eq!(function_name("a\nb\x1b[31m"), "a b");
    }

    /// Case M1: names that would grow when they are resolved.
    #[test]
    fn a_name_that_grows_is_cut_while_it_is_written() {
        // Each level names the one before it ten times, by where that begins.
        let mut growing = String::from("INvC1a1fT");
        let mut start = growing.len() - 1;
        growing += &("p".repeat(10) + "E");
        for _ in 0..9 {
            let level = format!("T{}E", format!("B{}_", base_62(start - 1)).repeat(10));
            start = growing.len();
            growing += &level;
        }
        let growing = format!("_R{growing}E");
        let cut = function_name(&growing);
        assert!(
            cut.starts_with("a::f::<(_, _, ") && cut.ends_with("… (cut)"),
            "{cut}"
        );
        for name in [format!("_ZN{}E", "3abc".repeat(900)), "x".repeat(100_000)] {
            let cut = function_name(&name);
            assert!(cut.len() <= MAX_NAME, "{cut}");
        }
    }

    fn base_62(mut number: usize) -> String {
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut text = String::new();
        loop {
            text.insert(0, digits[number % 62].into());
            number /= 62;
            if number == 0 {
                return text;
            }
        }
    }
}
