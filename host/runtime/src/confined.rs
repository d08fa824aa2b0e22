//! Compiling in a process of its own, as that process: limits itself, then reads a module from its standard input
//! and writes machine code to its standard output.
//!
//! Must not know who started it, nor caches. The other end is [`crate::compiler`].

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use crate::compile::{NotCompiled, compile};
use crate::compiler::{OUT_OF_MEMORY, Order, REFUSED};
use crate::engine::{Needs, compiling_engine};

/// How much lower than others' the priority is: where a task and a compilation want a processor, the task has it.
const NICE: i32 = 10;

/// What a program does that [`crate::Compiler`] names: compiles one module, from standard input to standard
/// output. The words of an error are on stderr.
pub fn serve_compiler() -> ExitCode {
    match serve(io::stdin().lock(), io::stdout().lock()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(NotCompiled::OutOfMemory)) => OUT_OF_MEMORY.into(),
        // The module alone may be more than there is.
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
    let engine = |concurrency| {
        let needs = Needs {
            fuel: order.fuel,
            concurrency,
        };
        compiling_engine(needs, order.source_lines)
    };
    let produced = match compile(wasm, engine) {
        Ok(produced) => produced,
        Err(error) => return Ok(Err(error)),
    };
    output.write_all(&produced.code)?;
    output.write_all(&[produced.concurrency.into()])?;
    output.flush()?;
    Ok(Ok(()))
}

/// Takes from this process what a compilation doesn't need, before it sees a byte of the module.
fn confine(order: &Order) -> io::Result<()> {
    // What may be written to, not the address space: allocators and threads reserve much more of that
    // than they use, and the program itself is mapped as well.
    limit(Resource::Data, order.max_memory)?;
    // One second between the signal that tells of it and the one that can't be mistaken for anything.
    limit(Resource::Cpu, order.cpu_seconds + 1)?;
    let cpu = getrlimit(Resource::Cpu);
    let current = cpu.maximum.map(|most| most.min(order.cpu_seconds));
    setrlimit(Resource::Cpu, Rlimit { current, ..cpu })?;
    limit(Resource::Core, 0)?;
    nice(NICE)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

/// Sets a limit, or keeps the lower one that this process was started with.
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
