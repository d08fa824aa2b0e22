//! What a task takes and returns: its types, whether arguments fit them, and whether a new version's
//! types take what an older one's took.
//!
//! The one thing that the queue and the sandbox share, so that a producer checks arguments as the worker
//! does. Must not know queues or WebAssembly.

mod arguments;
mod bind;
mod compatible;
mod error;
mod json;
mod lower;
mod number;
mod reader;
mod shape;
mod signature;
mod target;

pub use arguments::{Arguments, ArgumentsError};
pub use bind::{CommandLine, bind, bind_command};
pub use compatible::{Change, compare, compatible};
pub use error::ValidationError;
pub use json::{JsonError, MAX_DEPTH, RawJson};
pub use lower::lower;
pub use shape::{Case, Field, Outcome, Shape, listed, names};
pub use signature::{Kind, Signature};
pub use target::Target;
