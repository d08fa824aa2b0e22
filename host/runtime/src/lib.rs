//! Chicory's sandbox: a component in, an [`Invocation`] in, an [`Ended`] out.
//!
//! A [`Sandbox`] loads modules and calls their exported functions with JSON, each call in a fresh
//! instance that is thrown away after it, with no capability that its manifest doesn't grant, and
//! stopped at its limits whatever it does. Must not know Redis, queues, or what an ending means for
//! a message.

mod address;
mod bounds;
mod cache;
mod call;
mod codegen;
mod compile;
mod compiler;
mod confined;
mod discover;
mod ended;
mod engine;
mod error;
mod grant;
mod guest_api;
mod http;
mod invocation;
mod journal;
mod lift;
mod limiter;
mod load;
mod module;
mod refusal;
mod resident;
mod sandbox;
mod section;
mod settings;
mod size;
mod state;
mod stdio;
mod trap;
mod types;
mod watch;
mod wrap;

pub use chicory_signature::{Arguments, RawJson, Signature, ValidationError};
pub use compiler::Compiler;
pub use confined::serve_compiler;
pub use ended::{Advice, Ended, How, Level, LogLine, Note, Observer, Source, Usage};
pub use error::{LoadError, SandboxError};
pub use grant::Need;
pub use invocation::{Invocation, TaskContext};
pub use load::LoadRequest;
pub use module::{Description, Module, Task};
pub use sandbox::{Sandbox, SandboxConfig};
pub use section::{custom_section, own_custom_section, without_custom_section};
pub use settings::{DirGrant, Grants, Limits, ModuleSettings, ResolvedLimits};
pub use size::Bytes;
pub use tokio_util::sync::CancellationToken;
pub use wrap::to_component;
