//! The duties together, on the embedded broker, with closures in place of sandboxes.

mod bench;
mod delivery;
mod ends;
mod names;
mod stopping;
