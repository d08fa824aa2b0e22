//! The commands, one file each, and what every one of them gets.
//!
//! Must not know what a command does.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod bundle;
mod call;
pub(crate) mod cleanup;
pub(crate) mod client;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod enqueue;
mod enqueue_file;
mod in_force;
pub(crate) mod inspect;
mod module;
pub(crate) mod modules;
pub(crate) mod new;
pub(crate) mod push;
pub(crate) mod queue;
pub(crate) mod result;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod settings;
pub(crate) mod test;
pub(crate) mod worker;
pub(crate) mod workers;

use std::sync::Arc;

use chicory_admin::Admin;
use chicory_queue::{BrokerError, Connected, SystemClock};

use crate::config::Config;
use crate::connect;
use crate::output::Output;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// The valid settings.
    pub(crate) config: Config,
    /// How to print.
    pub(crate) output: Output,
}

impl Context {
    /// The operators' view of the broker, or that it can't be reached.
    pub(crate) async fn admin(&self) -> Result<Admin, BrokerError> {
        Ok(Admin::new(self.connect().await?, Arc::new(SystemClock)))
    }

    /// The broker, or that it can't be reached.
    pub(crate) async fn connect(&self) -> Result<Connected, BrokerError> {
        connect::once(&self.config.broker).await
    }
}
