//! What a task takes and returns: its types, whether arguments fit them, and whether a new version's
//! types take what an older one's took.
//!
//! The one thing that the queue and the sandbox share, so that a producer checks arguments as the worker
//! does. Must not know queues or WebAssembly.

mod arguments;
mod compatible;
mod error;
mod lower;
mod note;
mod shape;
mod signature;
mod usage;

pub use arguments::{CommandLine, bind, bind_command};
pub use compatible::{Change, compare, compatible};
pub use error::ValidationError;
pub use lower::{Target, lower};
pub use note::{Level, LogLine, LogSource, Note};
pub use shape::{Case, Field, Outcome, Shape, listed, names};
pub use signature::{Kind, Signature};
pub use usage::Usage;
