//! From WebAssembly to machine code: makes a component of it, then compiles that.
//!
//! The same in a worker and in the process that compiles for it. Must not know caches or limits.

use std::borrow::Borrow;
use std::error::Error;

use chicory_signature::{Excerpt, MAX_TEXT, into_excerpt, with_causes};
use wasmtime::Engine;

use crate::measure;
use crate::wrap::wrap;

/// What a compilation gives.
#[derive(Debug)]
pub(crate) struct Produced {
    /// It needs an engine with the component model's async.
    pub(crate) concurrency: bool,
    /// What `Engine::precompile_component` gave.
    pub(crate) code: Vec<u8>,
}

/// Why there is no machine code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotCompiled {
    /// The module is wrong: what is, and what to do.
    Refused(String),
    /// The memory limit of the compiler was not enough.
    OutOfMemory,
    /// It was not done in time.
    TooSlow,
}

/// Compiles `wasm` for the engine that `engine` gives: it is told whether async is needed.
pub(crate) fn compile<E: Borrow<Engine>>(
    wasm: Vec<u8>,
    engine: impl FnOnce(bool) -> wasmtime::Result<E>,
) -> Result<Produced, NotCompiled> {
    let refused =
        |error: &dyn Error| NotCompiled::Refused(into_excerpt(with_causes(error), MAX_TEXT));
    let wrapped = wrap(wasm).map_err(|error| refused(&error))?;
    measure::check(&wrapped.bytes).map_err(|error| refused(&error))?;
    let concurrency = wrapped.concurrency;
    let code =
        engine(concurrency).and_then(|engine| engine.borrow().precompile_component(&wrapped.bytes));
    let code = code.map_err(|error| {
        if error.is::<wasmtime::error::OutOfMemory>() {
            return NotCompiled::OutOfMemory;
        }
        let why = format_args!("it can't be compiled: {error:#}");
        NotCompiled::Refused(Excerpt::of(&why, MAX_TEXT))
    })?;
    Ok(Produced { concurrency, code })
}
