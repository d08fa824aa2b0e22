//! What a ceiling takes away, in words for an operator and a deployer.
//!
//! Must not know how ceilings are compared.

use std::fmt;

use chicory_signature::printable_up_to;

/// Maximum number of bytes of a module's own text in an error.
const SHOWN: usize = 256;

/// Something that a manifest asks for above a ceiling.
#[derive(Debug, Clone, PartialEq)]
pub struct Excess {
    /// What it is: `[grants] http`, `[tasks.add.limits] timeout`.
    pub what: String,
    /// What was asked for.
    pub asked: String,
    /// What is allowed.
    pub allowed: String,
    /// Where the ceiling is set: `[policy] http`.
    pub place: String,
}

/// Something that a module would have by default, but is not given.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// What it is: `[limits] timeout`.
    pub what: String,
    /// What is in force instead.
    pub to: String,
    /// Where the ceiling is set: `[policy] timeout`.
    pub place: String,
}

/// A manifest asks for more than the operator allows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("module {module:?} asks for more than the operator's policy allows: {}", listed(.excesses))]
pub struct PolicyError {
    /// The module.
    pub module: String,
    /// What it asks for.
    pub excesses: Vec<Excess>,
}

fn listed(excesses: &[Excess]) -> String {
    let lines: Vec<_> = excesses.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = printable_up_to(&self.asked, SHOWN);
        write!(
            f,
            "{} = {asked}, allowed is {} (lower it in the manifest, or raise {})",
            self.what, self.allowed, self.place
        )
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}, by {}", self.what, self.to, self.place)
    }
}
