//! Versions of a module, deployed one after the other.
//!
//! Must not know what is in them.

use std::path::PathBuf;

use chicory_testing::components::assemble;
use chicory_testing::{Ran, Site};

/// Writes a version as the file of the module `name`, with this manifest.
pub(crate) fn write(site: &Site, name: &str, text: &str, manifest: &str) -> PathBuf {
    site.write(&format!("{name}.toml"), manifest);
    site.write(&format!("{name}.wasm"), assemble(text))
}

/// Writes a version, and deploys it with these flags.
pub(crate) fn deploy(site: &Site, name: &str, text: &str, flags: &[&str]) -> Ran {
    write(site, name, text, "");
    let file = format!("{name}.wasm");
    let args: Vec<&str> = ["deploy", &file].iter().chain(flags).copied().collect();
    site.run(&args)
}
