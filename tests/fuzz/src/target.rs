//! The targets by name.
//!
//! Must not know which fuzzer runs them.

mod linker;
mod loader;
mod manifests;
mod messages;
mod records;
mod signatures;

/// A kind of input from outside, and what must hold for it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called on the command line; the folder of what was found has this name.
    pub name: &'static str,
    /// Checks that its seeds are right, so that edits of them get past the first lines of a parser.
    ///
    /// # Panics
    /// Panics where a seed is not what it should be.
    pub check_seeds: fn(),
    /// Runs one input, made from a fuzzer's bytes.
    ///
    /// # Panics
    /// Panics where a promise is broken: this is a finding.
    pub run: fn(&[u8]),
}

/// All targets.
pub const fn all() -> &'static [Target] {
    &[
        messages::TARGET,
        signatures::TARGET,
        manifests::TARGET,
        records::TARGET,
        linker::TARGET,
        loader::SECTIONS,
        loader::LOADER,
    ]
}
