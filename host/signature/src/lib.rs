//! What a task is called, and what it takes and returns: its types, whether arguments fit them, and whether a new
//! version still accepts what the old one accepted.
//!
//! The queue and the sandbox share this crate and nothing else, so that a producer checks messages exactly as the
//! worker does. Must not know queues or WebAssembly.
//!
//! ```
//! use chicory_signature::Signature;
//! use serde_json::json;
//!
//! // As a registry keeps it.
//! let signature: Signature = serde_json::from_value(json!({
//!     "kind": "function",
//!     "params": [{ "name": "image", "type": "bytes" }, { "name": "max-width", "type": "u16" }],
//!     "result": "bytes",
//! }))?;
//! assert_eq!(signature.to_string(), "func(image: list<u8>, max-width: u16) -> list<u8>");
//!
//! // By position or by name; snake_case is accepted.
//! let by_name = json!({ "max_width": 640 });
//! let by_name = by_name.as_object().expect("an object");
//! assert!(signature.check(&[json!("aGVsbG8=")], by_name).is_ok());
//!
//! let error = signature.check(&[json!("aGVsbG8="), json!(-1)], &Default::default());
//! assert_eq!(error.unwrap_err().to_string(), "args[1]: expected u16, got -1, which is out of range");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod arguments;
mod compatible;
mod error;
mod lower;
mod name;
mod shape;
mod signature;
mod text;

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
pub use text::{printable, printable_up_to, with_causes};
