//! Chicory's sandbox: it takes a component and an [`Invocation`], and returns an [`Ended`].
//!
//! A [`Sandbox`] loads modules and calls their exported functions with JSON, each call in a fresh
//! instance that is thrown away after it, with no capability that its manifest doesn't grant, and
//! stopped at its limits whatever it does. Must not know Redis, queues, or what an ending means for
//! a message.

mod bounds;
mod call;
mod call_log;
mod capability;
mod codegen;
mod compile;
mod compiler;
mod confined;
mod context;
mod discover;
mod disk_cache;
mod ended;
mod engine;
mod error;
mod features;
mod held;
mod invocation;
mod lift;
mod limiter;
mod limits;
mod load;
mod lower;
mod measure;
mod memory;
mod module;
mod monitor;
mod pressure;
mod private_folder;
mod refusal;
mod request;
mod resident;
mod sandbox;
mod section;
mod settings;
mod size;
mod state;
mod ticker;
mod trap;
mod typed;
mod types;
mod wrap;

pub use capability::{HostGrant, HostInterface, InterfaceError, Need};
pub use chicory_signature::{Arguments, RawJson, SharedStr, Signature, ValidationError};
pub use compiler::Compiler;
pub use confined::serve_compiler;
pub use context::TaskContext;
pub use discover::TypesTooLarge;
pub use ended::{Advice, Ended, How, Level, LogLine, LogSource, Note, Observer, Usage};
pub use engine::Shape;
pub use error::{InvalidModule, LoadError, SandboxError, SettingsError};
pub use features::Features;
pub use invocation::Invocation;
pub use limits::{LIMIT_NAMES, LIMITS, Limit, LimitError, Limits, ResolvedLimits};
pub use memory::FLOOR as HOST_FLOOR;
pub use module::{Description, Module, Task};
pub use private_folder::{FolderError, PrivateFolder};
pub use request::LoadRequest;
pub use sandbox::{Sandbox, SandboxConfig};
pub use section::{
    DamagedModule, custom_section, own_custom_section, with_custom_section, without_custom_section,
};
pub use settings::{DirGrant, GrantError, Grants, ModuleSettings};
pub use size::{Bytes, SizeError};
pub use state::CallState;
pub use tokio_util::sync::CancellationToken;
/// The engine, whose types the functions of a [`HostInterface`] are written with.
pub use wasmtime;
pub use wrap::{ComponentError, to_component};
