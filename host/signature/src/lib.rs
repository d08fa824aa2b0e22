//! What a task is called, and what it takes and returns: its types, whether arguments fit them, and whether a new
//! version still accepts what the old one accepted.
//!
//! The queue and the sandbox share this crate and nothing else, so that a producer checks messages exactly as the
//! worker does. Must not know queues or WebAssembly.
//!
//! ```
//! use chicory_signature::{Arguments, Signature};
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
//! let mut arguments = Arguments::from(vec![json!("aGVsbG8=")]);
//! arguments.insert("max_width", &640)?;
//! assert!(signature.check(&arguments).is_ok());
//!
//! let error = signature.check(&vec![json!("aGVsbG8="), json!(-1)].into());
//! assert_eq!(error.unwrap_err().to_string(), "args[1]: expected u16, got -1, which is out of range");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod arguments;
mod bind;
mod command;
mod compatible;
mod encoded;
mod error;
mod excerpt;
mod json;
mod lower;
mod name;
mod note;
mod number;
mod range;
mod reader;
mod scalar;
mod shape;
mod shared;
mod signature;
mod target;
mod tenant;
mod text;
mod type_limits;
mod usage;

pub use arguments::{Arguments, ArgumentsError};
pub use bind::bind;
pub use command::{CommandLine, CommandOutput, bind_command};
pub use compatible::{Change, compare, compatible};
pub use encoded::Base64;
pub use error::{Stopped, ValidationError};
pub use excerpt::{Excerpt, MAX_NAME, MAX_TEXT, excerpt, into_excerpt};
pub use json::{JsonError, MAX_DEPTH, RawJson};
pub use name::{
    LocalName, MAX_LOCAL_NAME, MAX_MODULE_NAME, MAX_TASK_NAME, Meaning, ModulePattern,
    NameConflict, NameError, Named, Offer, Reading, TaskName, UnknownTask, canonical,
    check_module_name, conflict, find_name, find_task, meaning, same_name, short_name, shown_names,
};
pub use note::{Level, LogLine, LogSource, Note};
pub use range::{Bounded, Given, OutOfRange, Range, Unit};
pub use shape::{Case, Field, Outcome, Shape, listed};
pub use shared::SharedStr;
pub use signature::{Kind, Signature};
pub use target::{Scalar, Target};
pub use tenant::{InvalidTenantName, MAX_TENANT_NAME, TenantName, owner, qualified};
pub use text::{printable, printable_json, printable_up_to, short_digest, with_causes};
pub use type_limits::{
    MAX_LABEL, MAX_MEMBERS, MAX_PARAMS, MAX_TASKS, MAX_TYPE_DEPTH, MAX_TYPE_NAME_BYTES,
    MAX_TYPE_PARTS, TypeBudget, TypeLimitError, TypeSize, check_label, check_members,
};
pub use usage::Usage;
