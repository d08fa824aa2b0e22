//! The duties together, on the embedded broker, with native tasks. Needs no sandbox.

mod bench;
mod delivery;
mod fairness;
mod native;
mod outcomes;
mod stopping;
