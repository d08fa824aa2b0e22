//! Compiling in a separate process, from that process's side: limits itself, then reads a module from
//! standard input and writes machine code to standard output.
//!
//! Must not know who started it, nor caches. The other end is [`crate::compiler`].

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use chicory_confine::{Confinement, SystemCalls};
use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use crate::compile::{NotCompiled, Terms, compile};
use crate::compiler::{OUT_OF_MEMORY, Order, REFUSED, mark};

/// The process's niceness: when a task and a compilation want the same processor, the task gets it.
const NICE: i32 = 10;

/// The main function of the program that a [`crate::Compiler`] starts: compiles one module from standard
/// input to standard output. Errors are written to stderr.
pub fn serve_compiler() -> ExitCode {
    match serve(io::stdin().lock(), io::stdout().lock()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(NotCompiled::OutOfMemory)) => OUT_OF_MEMORY.into(),
        // The module alone may be larger than the memory.
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => OUT_OF_MEMORY.into(),
        Ok(Err(NotCompiled::Refused(why))) => {
            eprintln!("{why}");
            REFUSED.into()
        }
        Ok(Err(NotCompiled::TooSlow)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}; this is for chicory's own use");
            ExitCode::FAILURE
        }
    }
}

fn serve(mut input: impl BufRead, mut output: impl Write) -> io::Result<Result<(), NotCompiled>> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    confine(&order)?;
    let mut wasm = Vec::new();
    input.read_to_end(&mut wasm)?;
    let terms = Terms {
        fuel: order.fuel,
        source_lines: order.source_lines,
        features: order.features,
    };
    let produced = match compile(wasm, terms) {
        Ok(produced) => produced,
        Err(error) => return Ok(Err(error)),
    };
    output.write_all(&produced.code)?;
    output.write_all(&[mark(produced.needs, produced.form)])?;
    output.flush()?;
    Ok(Ok(()))
}

/// Takes away what a compilation doesn't need, before the first byte of the module is read.
fn confine(order: &Order) -> io::Result<()> {
    // Writable memory, not address space: allocators and threads reserve much more address space than they
    // use, and the program itself is mapped too.
    limit(Resource::Data, order.max_memory)?;
    // One second between the signal that warns and the one that kills.
    limit(Resource::Cpu, order.cpu_seconds + 1)?;
    let cpu = getrlimit(Resource::Cpu);
    let current = cpu.maximum.map(|most| most.min(order.cpu_seconds));
    setrlimit(Resource::Cpu, Rlimit { current, ..cpu })?;
    nice(NICE)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // No file, no socket, no other process. What this kernel lacks for that is reported by who starts workers.
    let confined = Confinement::new(SystemCalls::Compiler).enforce();
    confined.map(drop).map_err(io::Error::other)
}

/// Sets a limit, or keeps a lower one that this process was started with.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let before = getrlimit(resource);
    let most = before.maximum.map_or(most, |before| before.min(most));
    setrlimit(
        resource,
        Rlimit {
            current: Some(most),
            maximum: Some(most),
        },
    )?;
    Ok(())
}
