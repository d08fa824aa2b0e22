//! What a task is called, and what it takes and returns: its types, whether arguments fit them, and whether a new
//! version still accepts what the old one accepted.
//!
//! The queue and the sandbox share this crate and nothing else, so that a producer checks messages exactly as the
//! worker does. Must not know queues or WebAssembly.

mod arguments;
mod compatible;
mod error;
mod lower;
mod name;
mod shape;
mod signature;

pub use arguments::{CommandLine, bind, bind_command};
pub use compatible::{Change, compare, compatible};
pub use error::ValidationError;
pub use lower::{Target, lower};
pub use name::{
    LocalName, MAX_LOCAL_NAME, MAX_MODULE_NAME, MAX_TASK_NAME, ModulePattern, NameConflict,
    NameError, Named, Offer, Reading, TaskName, UnknownTask, canonical, check_module_name,
    conflict, find_name, same_name,
};
pub use shape::{Case, Field, Outcome, Shape, listed};
pub use signature::{Kind, Signature};
