//! What a worker does continuously, with one file for each duty.
//!
//! Must not run tasks: [`crate::lane`] does.

pub(crate) mod acknowledge;
pub(crate) mod clean;
pub(crate) mod fetch;
#[cfg(feature = "sandbox")]
pub(crate) mod follow;
pub(crate) mod heartbeat;
pub(crate) mod promote;
mod reclaim;
pub(crate) mod renew;
pub(crate) mod settle;
