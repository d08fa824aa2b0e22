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
pub(crate) mod tenant;
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
    /// The operators' view of what the tenant has, or that the broker can't be reached.
    pub(crate) async fn admin(&self) -> Result<Admin, BrokerError> {
        Ok(Admin::new(self.connect().await?, Arc::new(SystemClock)))
    }

    /// The operators' view of the whole fleet.
    pub(crate) async fn admin_of_all(&self) -> Result<Admin, BrokerError> {
        Ok(Admin::new(
            self.connect_to_all().await?,
            Arc::new(SystemClock),
        ))
    }

    /// The broker as the tenant sees it, or that it can't be reached.
    ///
    /// # Errors
    /// [`BrokerError::UnknownTenant`] for one that was not created: a mistyped name must not look like an empty queue.
    pub(crate) async fn connect(&self) -> Result<Connected, BrokerError> {
        let all = self.connect_to_all().await?;
        let tenant = &self.config.tenant;
        if tenant.is_default() {
            return Ok(all);
        }
        match all.tenants.tenant(tenant).await? {
            Some(_) => Ok(all.tenants.view(tenant)),
            None => Err(BrokerError::UnknownTenant {
                tenant: tenant.clone(),
            }),
        }
    }

    /// The broker with what all tenants have.
    pub(crate) async fn connect_to_all(&self) -> Result<Connected, BrokerError> {
        connect::once(&self.config.broker).await
    }
}
