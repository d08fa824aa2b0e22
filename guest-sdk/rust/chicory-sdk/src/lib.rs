//! Tasks for Chicory in Rust: a module of ordinary functions becomes a module of tasks.
//!
//! [`macro@tasks`] exports them with their types; [`context`], [`progress`] and [`log`] talk to the
//! host; [`testing`] is a fake host for native tests. Must not need WASI.

mod block;
pub mod context;
mod error;
mod host;
pub mod progress;
pub mod testing;

pub use block::block_on;
pub use chicory_sdk_macros::tasks;
pub use error::{Postponed, TaskError};
/// The `log` crate, whose lines go to the task's log.
pub use log;

/// Used by the macro's expansion. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    /// Where the bindings find `chicory:task/types`.
    pub mod types {
        pub use crate::error::{Postponed, TaskError};
    }
    pub use crate::host::start;
    pub use wit_bindgen;
}
