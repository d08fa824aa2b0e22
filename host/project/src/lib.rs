//! Projects of Chicory's task authors: a folder with a module's source becomes a module.
//!
//! - [`create`] writes a new project from a template, and [`Project::find`] recognises an existing one.
//! - [`build()`] runs the language's tool chain and turns what it made into a component.
//! - [`watch()`] reports changes of the source, but not those that a build makes.
//! - [`Cases`] reads a project's test cases and runs them in a sandbox.
//! - [`client()`] writes a Rust module with a function for each task of a module.
//!
//! Returns data and typed errors. Must not know arguments of the program or queues, and prints nothing of its own; the tools
//! that it starts write to standard error.

mod bindings;
mod build;
mod c;
mod cases;
mod client;
mod error;
mod go;
mod installed;
mod javascript;
mod language;
mod project;
mod python;
mod request;
mod rust;
mod strip;
mod template;
mod tool;
mod watch;

pub use build::{Built, Linked, build};
pub use cases::{
    Case, CaseError, CaseFault, CaseReport, Cases, CasesError, Problem, RunOptions, Usage, record,
};
pub use client::{ClientError, client};
pub use error::{Cause, ProjectError};
pub use language::Language;
pub use project::{Project, check_name};
pub use request::{BuildRequest, Progress};
pub use template::create;
pub use watch::{Changes, watch};
