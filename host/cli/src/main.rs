//! `chicory`, the program: a distributed task queue whose tasks are sandboxed WebAssembly components.
//!
//! Parses the command line and starts a command; each command is a file of `command`.

mod args;
mod caution;
mod command;
mod config;
mod confirm;
mod connect;
mod dispatch;
mod exit;
mod hint;
mod log;
mod machine;
mod oci;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    without_huge_pages();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        // It repeats what was given, which may be a stranger's text.
        Err(error) if error.use_stderr() => {
            output::tell(error.render().to_string().trim_end());
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    let json = cli.global.json;
    match dispatch::dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            exit::report(&error, json);
            exit::code(&error).into()
        }
    }
}

/// The allocator returns memory and asks for it again. With huge pages, the kernel would then clear two megabytes for a
/// buffer of some hundred kilobytes. If they can't be disabled, that only costs time.
fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}
