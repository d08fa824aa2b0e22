//! WASI preview 1 and 0, for programs that are core modules: the engine's own implementation, behind the same
//! grants as WASI 0.2.
//!
//! Must not know how a program is started.

use wasmtime::{InstancePre, Linker, Module};
use wasmtime_wasi::{I32Exit, p0, p1};

use super::dirs::programs;
use crate::state::CallState;

/// The modules that programs import WASI from.
const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// What of WASI 0.2 gives the same as an imported function, and so needs the same grants. Nothing if there is no
/// such function.
pub(crate) fn interfaces(module: &str, function: &str) -> Option<&'static [&'static str]> {
    if !MODULES.contains(&module) {
        return None;
    }
    Some(match function {
        "args_get" | "args_sizes_get" | "environ_get" | "environ_sizes_get" => {
            &["wasi:cli/environment@0.2.0"]
        }
        "clock_res_get" | "clock_time_get" | "poll_oneoff" => &[
            "wasi:clocks/wall-clock@0.2.0",
            "wasi:clocks/monotonic-clock@0.2.0",
        ],
        "random_get" => &["wasi:random/random@0.2.0"],
        "fd_read" | "fd_write" => &[
            "wasi:cli/stdin@0.2.0",
            "wasi:cli/stdout@0.2.0",
            "wasi:cli/stderr@0.2.0",
            "wasi:filesystem/types@0.2.0",
        ],
        "sock_accept" | "sock_recv" | "sock_send" | "sock_shutdown" => &["wasi:sockets/tcp@0.2.0"],
        "proc_exit" => &["wasi:cli/exit@0.2.0"],
        "proc_raise" | "sched_yield" => &[],
        _ if function.starts_with("fd_") || function.starts_with("path_") => {
            &["wasi:filesystem/types@0.2.0"]
        }
        _ => return None,
    })
}

/// Links a program, whose imports must have been found granted.
pub(crate) fn link(program: &Module) -> wasmtime::Result<InstancePre<CallState>> {
    let mut linker = Linker::new(program.engine());
    p1::add_to_linker_async(&mut linker, CallState::preview1)?;
    p0::add_to_linker_async(&mut linker, CallState::preview1)?;
    // The engine's own `proc_exit` takes codes below 126 only, and what it writes to directories isn't counted.
    linker.allow_shadowing(true);
    programs::link(&mut linker)?;
    for module in MODULES {
        linker.func_wrap(module, "proc_exit", exit)?;
    }
    linker.instantiate_pre(program)
}

fn exit(code: i32) -> wasmtime::Result<()> {
    Err(I32Exit(code).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_wasi_has_no_interface() {
        for module in MODULES {
            assert!(interfaces(module, "fd_write").is_some_and(|all| all.len() == 4));
            assert_eq!(interfaces(module, "sched_yield"), Some(&[][..]));
            assert_eq!(interfaces(module, "thread_spawn"), None);
        }
        assert_eq!(interfaces("env", "fd_write"), None);
    }
}
