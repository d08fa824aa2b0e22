//! The settings that say what a module may be: features of WebAssembly, and how many of what.
//!
//! Must not know what they do in the sandbox.

use chicory_runtime::{Features, Shape};

use super::ConfigError;
use super::raw::Raw;

/// Features that modules may use besides those that every module may use.
pub(super) fn features(raw: &Raw) -> Result<Features, ConfigError> {
    let allowed = "names separated by commas, of gc and memory64";
    let features = raw.optional("worker.wasm_features", allowed, |text| {
        let mut features = Features::default();
        let mut names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names.all(|name| features.allow(name)).then_some(features)
    })?;
    Ok(features.unwrap_or_default())
}

/// How many core instances, memories and tables one module may have.
pub(super) fn shape(raw: &Raw) -> Result<Shape, ConfigError> {
    let default = Shape::default();
    Ok(Shape {
        memories: raw
            .whole("worker.max_memories")?
            .unwrap_or(default.memories),
        tables: raw.whole("worker.max_tables")?.unwrap_or(default.tables),
        instances: raw
            .whole("worker.max_instances")?
            .unwrap_or(default.instances),
    })
}
