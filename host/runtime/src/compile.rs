//! From WebAssembly to machine code: makes of it what an engine can run, then compiles that.
//!
//! The same in a worker and in the process that compiles for it. Must not know caches or limits.

use chicory_signature::{Excerpt, MAX_TEXT, into_excerpt, with_causes};
use wasmtime::Engine;

use crate::engine::compiling_engine;
use crate::features::{self, Features, Needs};
use crate::measure;
use crate::wrap::{Form, wrap};

/// What the code is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The code counts fuel.
    pub(crate) fuel: bool,
    /// Files and lines are kept for backtraces.
    pub(crate) source_lines: bool,
    /// What the module may use.
    pub(crate) features: Features,
}

/// What a compilation gives.
#[derive(Debug)]
pub(crate) struct Produced {
    /// The engine that the code is for.
    pub(crate) needs: Needs,
    pub(crate) form: Form,
    /// What `Engine::precompile_component` or `precompile_module` gave.
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

/// Compiles `wasm` for the plainest engine that can run it.
pub(crate) fn compile(wasm: Vec<u8>, terms: Terms) -> Result<Produced, NotCompiled> {
    let refused = |error: &dyn std::error::Error| {
        NotCompiled::Refused(into_excerpt(with_causes(error), MAX_TEXT))
    };
    let wrapped = wrap(wasm).map_err(|error| refused(&error))?;
    if wrapped.form == Form::Component {
        measure::check(&wrapped.bytes).map_err(|error| refused(&error))?;
    }
    let needs = features::needs(&wrapped.bytes, terms.features).map_err(|error| refused(&error))?;
    let needs = Needs {
        fuel: terms.fuel,
        ..needs
    };
    let engine = compiling_engine(needs, terms.source_lines);
    let code = engine.and_then(|engine| code(&engine, &wrapped.bytes, wrapped.form));
    let code = code.map_err(|error| {
        if error.is::<wasmtime::error::OutOfMemory>() {
            return NotCompiled::OutOfMemory;
        }
        let why = format_args!("it can't be compiled: {error:#}");
        NotCompiled::Refused(Excerpt::of(&why, MAX_TEXT))
    })?;
    Ok(Produced {
        needs,
        form: wrapped.form,
        code,
    })
}

fn code(engine: &Engine, wasm: &[u8], form: Form) -> wasmtime::Result<Vec<u8>> {
    match form {
        Form::Component => engine.precompile_component(wasm),
        Form::Program => engine.precompile_module(wasm),
    }
}
