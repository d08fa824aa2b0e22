//! The sandbox as its users see it: real components in the text format, loaded and called.

mod advisories_engine;
mod advisories_wasi;
mod calls;
mod conversion;
mod dirs;
mod endings;
mod guests;
mod held;
mod interfaces;
mod loading;
mod programs;
mod residency;
mod sockets;
